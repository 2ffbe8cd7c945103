//! The page itself: HTML with its figures inside.

use std::fmt::Write as _;

use super::Figure;
use super::tables::Table;
use crate::run::{Machine, Run};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem;color:#222}\
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.5rem}figure{margin:2rem 0;overflow-x:auto}\
figcaption,.note{color:#555;max-width:52rem}.scroll{overflow-x:auto}\
table{border-collapse:collapse;font-size:13px;white-space:nowrap}th,td{padding:.25rem .7rem;text-align:left;\
border-bottom:1px solid #ddd}th{border-bottom:2px solid #888}.error{color:#a00}";

/// The page of a run.
pub(super) fn html(run: &Run, figures: &[Figure], tables: &[Table]) -> String {
    let title = escaped(&run.plan.title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
         <h1>{title}</h1>\n<p class=\"note\">Plan <b>{}</b>, {} measurements. {}</p>\n",
        escaped(&run.plan.name),
        run.rows.len(),
        machine(&run.machine),
    );
    for figure in figures {
        let caption = escaped(&figure.caption);
        // Writing to a String does not fail, here and below.
        let _ = writeln!(page, "<figure>\n{}\n<figcaption>{caption}</figcaption>\n</figure>", figure.svg);
    }
    tables.iter().filter(|table| !table.rows.is_empty()).for_each(|table| show(&mut page, table));
    show_failures(&mut page, run);
    page.push_str("</html>\n");
    page
}

fn machine(machine: &Machine) -> String {
    let Machine { processor, processors, memory_mib, kernel, load, version, .. } = machine;
    let guest = if machine.hypervisor == "yes" { ", itself a guest of a hypervisor" } else { "" };
    escaped(&format!(
        "Machine: {processors} x {processor}, {memory_mib} MiB, Linux {kernel}{guest}; load {load} at the start. Version \
         {version}."
    ))
}

fn show(page: &mut String, table: &Table) {
    let cells = |tag: &str, words: &mut dyn Iterator<Item = &str>| {
        words.map(|word| format!("<{tag}>{}</{tag}>", escaped(word))).collect::<String>()
    };
    let head = cells("th", &mut table.head.iter().copied());
    let (title, note) = (escaped(&table.title), escaped(&table.note));
    let _ = write!(
        page,
        "<h2>{title}</h2>\n<p class=\"note\">{note}</p>\n<div class=\"scroll\"><table>\n<tr>{head}</tr>\n"
    );
    for row in &table.rows {
        let _ = writeln!(page, "<tr>{}</tr>", cells("td", &mut row.iter().map(String::as_str)));
    }
    page.push_str("</table></div>\n");
}

fn show_failures(page: &mut String, run: &Run) {
    let failures: Vec<_> = run.rows.iter().filter_map(|row| Some((row, row.error.as_ref()?))).collect();
    if failures.is_empty() {
        return;
    }
    page.push_str("<h2>Failed measurements</h2>\n<ul>\n");
    for (row, error) in failures {
        let _ = writeln!(
            page,
            "<li>{} #{}: <span class=\"error\">{}</span>",
            escaped(&row.cell.to_string()),
            row.turn,
            escaped(error)
        );
    }
    page.push_str("</ul>\n");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
