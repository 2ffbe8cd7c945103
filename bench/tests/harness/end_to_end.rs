//! From a plan to a page.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::programs::xc_bench;

/// Two rates over a shaped link, and the ideal copier, small enough for a test.
const PLAN: &str = "\
name = 'small'
title = 'A small plan'
repeat = 1
predict = ['avg', 'hist']
[[matrix]]
memory = ['16M']
link = ['1G/9000']
stop = ['classic']
workload = ['idle', 'pagemod:rate=2000', 'pagemod:rate=60000']
[[matrix]]
memory = ['16M']
world = ['host', 'ideal-cold', 'ideal-warm']
";

fn run(args: &[&str], dir: &Path) -> Output {
    xc_bench().args(args).current_dir(dir).output().expect("it starts")
}

fn succeed(args: &[&str], dir: &Path) -> String {
    let output = run(args, dir);
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn rows(dir: &Path) -> Vec<Value> {
    let text = fs::read_to_string(dir.join("run/rows.jsonl")).expect("there are rows");
    text.lines().map(|line| serde_json::from_str(line).expect("a row is JSON")).collect()
}

/// Takes a screenshot of a page, `screenshot.png` beside it, and sees that it is not empty.
fn assert_shows_in_a_browser(page: &Path) {
    /// An empty page of this size has 17 KB as PNG, one with a figure and tables 150 KB.
    const LEAST: usize = 40_000;
    let shot = page.with_file_name("screenshot.png");
    let mut browser = Command::new("chromium");
    browser.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]);
    browser.args(["--window-size=1200,3000", &format!("--screenshot={}", shot.display())]);
    let output = browser.arg(format!("file://{}", page.display())).output();
    let output = output.expect("there is a browser: scripts/deps test");
    let png = fs::read(&shot).unwrap_or_else(|e| panic!("no screenshot: {e}; {output:?}"));
    assert!(png.starts_with(b"\x89PNG") && png.len() > LEAST, "{} bytes", png.len());
}

#[test]
fn a_plan_becomes_rows_and_a_page_and_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("small.toml"), PLAN).unwrap();
    succeed(&["run", "small.toml", "--out", "run"], dir.path());
    let all = rows(dir.path());
    assert_eq!(all.len(), 6);
    assert!(all.iter().all(|row| row["error"].is_null()), "{all:#?}");

    // The shape: a guest that writes faster than the link stands still while all of its memory is copied.
    let busy = all.iter().find(|row| row["workload"] == "pagemod:rate=60000").unwrap();
    let measured = &busy["measured"];
    assert_eq!(measured["last_pages"], 4096, "{busy:#}");
    let (tool, guest) = (measured["downtime"].as_f64().unwrap(), measured["gap"].as_f64().unwrap());
    assert!(tool > 0.12 && guest > 0.12, "16 MiB take 134 ms: {tool} s, {guest} s");
    let frame =
        measured["traffic"]["bytes"].as_f64().unwrap() / measured["traffic"]["frames"].as_f64().unwrap();
    assert!((8000.0..9020.0).contains(&frame), "frames of {frame} bytes");

    // Interrupted while the last row was being written.
    let path = dir.path().join("run/rows.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.len() - 10]).unwrap();
    let said = succeed(&["run", "small.toml", "--out", "run"], dir.path());
    assert!(said.contains("[6/6") && !said.contains("[5/6"), "{said}");

    succeed(&["report", "run"], dir.path());
    let page = fs::read_to_string(dir.path().join("run/report.html")).unwrap();
    for word in
        ["1G/9000, AVG", "1G/9000, HIST", "Prediction mean error", "ideal-warm", "Remaining dirty pages"]
    {
        assert!(page.contains(word), "{word}");
    }
    assert!(!page.contains("src=") && !page.contains("href="), "the page needs nothing but itself");
    assert_shows_in_a_browser(&dir.path().join("run/report.html"));
    assert!(dir.path().join("run/rows.csv").exists());
    assert!(succeed(&["compare", "run", "run"], dir.path()).contains("0 regressions"));
}

#[test]
fn a_link_tells_its_facts() {
    let dir = tempfile::tempdir().unwrap();
    let said = succeed(&["link", "--rate", "1G", "--mtu", "1500", "--memory", "64M"], dir.path());
    for fact in ["path MTU        1500", "MSS             1448", "frames          15", "bandwidth-delay"] {
        assert!(said.contains(fact), "{fact}: {said}");
    }
    let warned = run(&["link", "--rate", "10G", "--mtu", "1500", "--memory", "16M"], dir.path());
    assert!(String::from_utf8_lossy(&warned.stderr).contains("mtu 9000"), "{warned:?}");
}

#[test]
fn bda_leaves_to_others_what_they_use() {
    /// On a busy machine the others may not get to their rate; then there is nothing to be seen.
    const TURNS: usize = 5;
    let dir = tempfile::tempdir().unwrap();
    let link = ["link", "--rate", "1G", "--mtu", "1500", "--memory", "96M", "--others", "600M"];
    let turn = || {
        let said = succeed(&[&link[..], &["--bandwidth", "bda"]].concat(), dir.path());
        let figure = |name: &str| -> f64 {
            let line = said.lines().find_map(|line| line.strip_prefix(name)).expect("the figure is there");
            line.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number")
        };
        (figure("goodput"), figure("others"))
    };
    // 600 Mbit/s of payload take 627 with their headers, which leaves 373. Sharing alike, each would get 470.
    let mut turns = Vec::new();
    let found = (0..TURNS).any(|_| {
        let (goodput, others) = turn();
        turns.push((goodput, others));
        others > 0.5 && goodput < 0.43
    });
    assert!(found, "{turns:?}");
}

#[test]
fn mistakes_are_told_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    let mistake = |args: &[&str]| {
        let output = run(args, dir.path());
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(mistake(&["run", "no-such"]).contains("one of quick"));
    assert!(mistake(&["link", "--rate", "10X"]).contains("link '10X/1500' is not"));
    assert!(mistake(&["link", "--stop", "itd"]).contains("unknown stop policy 'itd'"));
    assert!(mistake(&["report", "nowhere"]).contains("nowhere/plan.toml"));
}
