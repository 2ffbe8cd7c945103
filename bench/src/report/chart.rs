//! Charts, drawn by plotters as SVG.

use std::error::Error as StdError;

use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use crate::Error;

/// The size of a chart, pixels.
const SIZE: (u32, u32) = (1040, 480);
/// The part of it to the right in which the series are named.
const LEGEND: u32 = 300;
/// The height of a name there, and the length of its sample.
const ENTRY: i32 = 24;
const SAMPLE: i32 = 26;
/// Text sizes, pixels.
const TITLE: u32 = 20;
const TEXT: u32 = 14;
/// The strips for the labels of the axes, pixels.
const X_LABELS: u32 = 48;
const Y_LABELS: u32 = 72;
/// The strip for the names of bars, pixels.
const NAMES: u32 = 330;
/// The height of a bar with its gap, pixels.
const BAR: u32 = 26;
/// The radius of a measured point, pixels.
const POINT: u32 = 4;
/// The dashes of a line, pixels.
const DASH: u32 = 7;
const GAP: u32 = 5;
/// Colours that people who are colour-blind can tell apart (Okabe and Ito, 2008).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

/// How the points of a series are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// What was measured: points, joined thinly.
    Measured,
    /// What a model says: a line.
    Model,
    /// What another model says: a dashed line.
    OtherModel,
}

/// Points of one kind.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: String,
    /// Series of the same colour belong together.
    pub(super) colour: usize,
    pub(super) style: Style,
    pub(super) points: Vec<(f64, f64)>,
}

/// The scale of both axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    Log,
}

/// A chart of series over a number.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) x: &'static str,
    pub(super) y: &'static str,
    pub(super) scale: Scale,
    pub(super) series: Vec<Series>,
}

type Drawn = Result<(), Box<dyn StdError>>;

impl Chart {
    /// It as SVG; nothing if it has no points.
    pub(super) fn draw(&self) -> Result<Option<String>, Error> {
        let Some((x, y)) = self.ranges() else { return Ok(None) };
        let mut svg = String::new();
        let drawn = match self.scale {
            Scale::Linear => self.draw_on(&mut svg, x, y),
            Scale::Log => self.draw_on(&mut svg, x.log_scale(), y.log_scale()),
        };
        drawn.map_err(|cause| Error::Draw { figure: self.title.clone(), reason: cause.to_string() })?;
        Ok(Some(svg))
    }

    /// The ranges of both axes with some air around the points.
    fn ranges(&self) -> Option<(std::ops::Range<f64>, std::ops::Range<f64>)> {
        let points = || self.series.iter().flat_map(|series| &series.points);
        points().next()?;
        let range = |of: fn(&(f64, f64)) -> f64| {
            let low = points().map(of).fold(f64::INFINITY, f64::min);
            let high = points().map(of).fold(f64::NEG_INFINITY, f64::max);
            match self.scale {
                Scale::Linear => 0.0..(high * 1.08).max(f64::MIN_POSITIVE),
                Scale::Log => low / 1.3..high * 1.5,
            }
        };
        Some((range(|p| p.0), range(|p| p.1)))
    }

    fn draw_on<X, Y>(&self, svg: &mut String, x: X, y: Y) -> Drawn
    where
        X: AsRangedCoord<Value = f64>,
        Y: AsRangedCoord<Value = f64>,
        X::CoordDescType: ValueFormatter<f64>,
        Y::CoordDescType: ValueFormatter<f64>,
    {
        let whole = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        whole.fill(&WHITE)?;
        let (area, legend) = whole.split_horizontally(SIZE.0 - LEGEND);
        let mut chart = ChartBuilder::on(&area)
            .caption(&self.title, ("sans-serif", TITLE))
            .margin(12)
            .x_label_area_size(X_LABELS)
            .y_label_area_size(Y_LABELS)
            .build_cartesian_2d(x, y)?;
        let label = |value: &f64| self.label(*value);
        chart
            .configure_mesh()
            .x_desc(self.x)
            .y_desc(self.y)
            .x_label_formatter(&label)
            .y_label_formatter(&label)
            .label_style(("sans-serif", TEXT))
            .light_line_style(TRANSPARENT)
            .draw()?;
        for series in &self.series {
            let (colour, points) = (series.colour(), series.points.iter().copied());
            match series.style {
                Style::Model => {
                    chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
                }
                Style::OtherModel => {
                    chart.draw_series(DashedLineSeries::new(points, DASH, GAP, colour.stroke_width(2)))?;
                }
                Style::Measured => {
                    chart.draw_series(LineSeries::new(points.clone(), colour.mix(0.35)))?;
                    chart.draw_series(points.map(|at| Circle::new(at, POINT, colour.filled())))?;
                }
            }
        }
        self.name_series(&legend)?;
        whole.present()?;
        Ok(())
    }

    /// Names every series beside a sample of it.
    fn name_series(&self, area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Drawn {
        for (series, y) in self.series.iter().zip((2 * ENTRY..).step_by(usize::try_from(ENTRY)?)) {
            let line = series.colour().stroke_width(2);
            let (start, middle, end) = ((0, y), (SAMPLE / 2, y), (SAMPLE, y));
            match series.style {
                Style::Measured => area.draw(&Circle::new(middle, POINT, series.colour().filled()))?,
                Style::Model => area.draw(&PathElement::new([start, end], line))?,
                Style::OtherModel => {
                    area.draw(&PathElement::new([start, (SAMPLE / 3, y)], line))?;
                    area.draw(&PathElement::new([(2 * SAMPLE / 3, y), end], line))?;
                }
            }
            let half = i32::try_from(TEXT / 2)?;
            area.draw(&Text::new(series.name.clone(), (SAMPLE + half, y - half), ("sans-serif", TEXT)))?;
        }
        Ok(())
    }

    /// The label of a line of the mesh; on a logarithmic axis only 1, 2 and 5 have one, for the others would overlap.
    fn label(&self, value: f64) -> String {
        let mantissa = value / 10f64.powf((value * (1.0 + f64::EPSILON)).log10().floor());
        let has_one =
            self.scale == Scale::Linear || [1.0, 2.0, 5.0].iter().any(|nice| (mantissa - nice).abs() < 1e-6);
        if has_one { number(value) } else { String::new() }
    }
}

impl Series {
    fn colour(&self) -> RGBColor {
        COLOURS[self.colour % COLOURS.len()]
    }
}

/// Horizontal bars, each with a name and a range of uncertainty.
#[derive(Clone, Debug)]
pub(super) struct Bars {
    pub(super) title: String,
    /// What the bars' length is, with its unit.
    pub(super) x: &'static str,
    /// The name, the middle, and the ends of its interval.
    pub(super) bars: Vec<(String, f64, f64, f64)>,
}

impl Bars {
    /// They as SVG; nothing if there are none.
    pub(super) fn draw(&self) -> Result<Option<String>, Error> {
        if self.bars.is_empty() {
            return Ok(None);
        }
        let mut svg = String::new();
        let drawn = self.draw_on(&mut svg);
        drawn.map_err(|cause| Error::Draw { figure: self.title.clone(), reason: cause.to_string() })?;
        Ok(Some(svg))
    }

    fn draw_on(&self, svg: &mut String) -> Drawn {
        let count = u32::try_from(self.bars.len())?;
        let area = SVGBackend::with_string(svg, (SIZE.0, count * BAR + X_LABELS + 60)).into_drawing_area();
        area.fill(&WHITE)?;
        let longest = self.bars.iter().map(|bar| bar.3).fold(f64::MIN_POSITIVE, f64::max);
        let mut chart = ChartBuilder::on(&area)
            .caption(&self.title, ("sans-serif", TITLE))
            .margin(12)
            .x_label_area_size(X_LABELS)
            .y_label_area_size(NAMES)
            .build_cartesian_2d(0.0..longest * 1.08, (0..(count - 1).max(1)).into_segmented())?;
        let name = |at: &SegmentValue<u32>| match at {
            // From the top down.
            SegmentValue::CenterOf(at) => {
                let from_top = count.checked_sub(at + 1)?;
                self.bars.get(from_top as usize).map(|bar| bar.0.clone())
            }
            _ => None,
        };
        chart
            .configure_mesh()
            .disable_y_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc(self.x)
            .y_labels(self.bars.len())
            .x_label_formatter(&|value| number(*value))
            .y_label_formatter(&|at| name(at).unwrap_or_default())
            .label_style(("sans-serif", TEXT))
            .draw()?;
        for ((_, middle, low, high), at) in self.bars.iter().zip((0..count).rev()) {
            let end = if at + 1 < count { SegmentValue::Exact(at + 1) } else { SegmentValue::Last };
            let bar = [(0.0, SegmentValue::Exact(at)), (*middle, end)];
            let mut bar = Rectangle::new(bar, COLOURS[0].mix(0.7).filled());
            bar.set_margin(4, 4, 0, 0);
            chart.draw_series([bar])?;
            let interval = [(*low, SegmentValue::CenterOf(at)), (*high, SegmentValue::CenterOf(at))];
            chart.draw_series([PathElement::new(interval, BLACK.stroke_width(2))])?;
        }
        area.present()?;
        Ok(())
    }
}

/// A label of an axis: `300k`, `25`, `0.1`.
fn number(value: f64) -> String {
    let (value, unit) = match value.abs() {
        size if size >= 1e6 => (value / 1e6, "M"),
        size if size >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    // Enough digits for what plotters chooses as steps, and no noise of its additions.
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short() {
        let texts = [0.0, 0.1, 25.0, 9_999.0, 30_000.0, 1.5e6].map(number);
        assert_eq!(texts, ["0", "0.1", "25", "9999", "30k", "1.5M"]);
    }

    #[test]
    fn a_chart_shows_its_words() {
        let points = vec![(1.0, 2.0), (100.0, 0.5)];
        let series = vec![Series { name: "measured here".into(), colour: 0, style: Style::Measured, points }];
        let chart =
            |scale, series| Chart { title: "A title".into(), x: "pages/s", y: "seconds", scale, series };
        for scale in [Scale::Linear, Scale::Log] {
            let svg = chart(scale, series.clone()).draw().unwrap().unwrap();
            for word in ["A title", "pages/s", "seconds", "measured here"] {
                assert!(svg.contains(word), "{word}");
            }
        }
        assert_eq!(chart(Scale::Log, Vec::new()).draw().unwrap(), None);
        let bars = Bars { title: "B".into(), x: "Gbit/s", bars: vec![("host".into(), 7.0, 6.5, 7.5)] };
        assert!(bars.draw().unwrap().unwrap().contains("host"));
    }
}
