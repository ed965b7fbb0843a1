//! The report as one HTML file that needs nothing else: no scripts, no fonts, no other files.

use std::fmt::Write as _;

use super::svg::escape;

/// A figure on the page.
#[derive(Debug, Clone)]
pub struct Plate {
    /// Name in links and files.
    pub id: String,
    /// Heading.
    pub title: String,
    /// What is shown, for a caption.
    pub caption: String,
    /// What is to be seen, with its numbers.
    pub sentence: String,
    /// Whether it agrees with what the paper says; `None` where the paper says nothing or it was not measured.
    pub agrees: Option<bool>,
    /// The figure.
    pub svg: String,
}

/// A table.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Name in links.
    pub id: String,
    /// Heading.
    pub title: String,
    /// Words above it.
    pub intro: String,
    /// Heads of the columns.
    pub head: Vec<String>,
    /// Cells; one that is "holds", "falls short" or "not measured" is coloured.
    pub rows: Vec<Vec<String>>,
}

/// The page.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Heading.
    pub title: String,
    /// First paragraph.
    pub intro: String,
    /// Tables that stand first.
    pub tables: Vec<Table>,
    /// The figures.
    pub plates: Vec<Plate>,
    /// Remarks: what was left out and why.
    pub notes: Vec<String>,
    /// How it was made: name and value.
    pub recipe: Vec<(String, String)>,
}

const STYLE: &str = "\
html{color-scheme:light}
body{font:16px/1.55 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;color:#1b1c1f;background:#fff;margin:0}
main{max-width:800px;margin:0 auto;padding:32px 20px 80px}
h1{font-size:30px;line-height:1.2;margin:0 0 12px}h2{font-size:21px;margin:48px 0 8px}
p{margin:8px 0}nav{background:#f5f5f3;border-radius:8px;padding:14px 22px;margin:24px 0}
nav ol{margin:6px 0 0;padding-left:22px;columns:2;column-gap:32px}nav a{color:#1b1c1f}
a{color:#8a4a00}figure{margin:14px 0 6px}figure svg{width:100%;height:auto;display:block}
.caption{color:#5e626a;font-size:14px}
.verdict{border-left:4px solid #9a9ca0;padding:2px 0 2px 14px;margin:12px 0}
.yes{border-color:#007a62}.no{border-color:#b83220}
.tag{font-weight:600}.yes .tag,td.holds{color:#006350}.no .tag,td.short{color:#a32a1a}td.none{color:#5e626a}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:14px;margin:10px 0;width:100%}
th,td{text-align:left;padding:5px 12px 5px 0;border-bottom:1px solid #dcdcd8;vertical-align:top}
td.holds,td.short{font-weight:600}td{font-variant-numeric:tabular-nums}
code{font:13px/1.5 ui-monospace,Consolas,Menlo,monospace;overflow-wrap:anywhere}
@media print{nav{break-after:page}figure,table{break-inside:avoid}}
@media (max-width:600px){nav ol{columns:1}}";

impl Page {
    /// The page as text.
    pub fn html(&self) -> String {
        let mut out = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{t}</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{t}</h1>\n<p>{}</p>\n",
            escape(&self.intro),
            t = escape(&self.title),
        );
        self.contents(&mut out);
        for table in &self.tables {
            table.write(&mut out);
        }
        for (number, plate) in self.plates.iter().enumerate() {
            plate.write(number + 1, &mut out);
        }
        if !self.notes.is_empty() {
            out.push_str("<h2 id=\"notes\">What was left out, and why</h2>\n<ul>\n");
            for note in &self.notes {
                let _ = writeln!(out, "<li>{}</li>", escape(note));
            }
            out.push_str("</ul>\n");
        }
        out.push_str(
            "<h2 id=\"recipe\">How this report is made again</h2>\n<div class=\"scroll\"><table>\n",
        );
        for (name, value) in &self.recipe {
            let _ = writeln!(
                out,
                "<tr><th>{}</th><td><code>{}</code></td></tr>",
                escape(name),
                escape(value)
            );
        }
        out.push_str("</table></div>\n</main>\n</body>\n</html>\n");
        out
    }

    fn contents(&self, out: &mut String) {
        out.push_str("<nav><strong>Contents</strong>\n<ol>\n");
        let tables = self.tables.iter().map(|t| (&t.id, &t.title));
        let plates = self.plates.iter().map(|p| (&p.id, &p.title));
        for (id, title) in tables.chain(plates) {
            let _ = writeln!(out, "<li><a href=\"#{id}\">{}</a></li>", escape(title));
        }
        if !self.notes.is_empty() {
            out.push_str("<li><a href=\"#notes\">What was left out, and why</a></li>\n");
        }
        out.push_str(
            "<li><a href=\"#recipe\">How this report is made again</a></li>\n</ol></nav>\n",
        );
    }
}

impl Table {
    fn write(&self, out: &mut String) {
        let _ = write!(
            out,
            "<h2 id=\"{}\">{}</h2>\n<p>{}</p>\n<div class=\"scroll\"><table>\n<tr>",
            self.id,
            escape(&self.title),
            escape(&self.intro)
        );
        for head in &self.head {
            let _ = write!(out, "<th>{}</th>", escape(head));
        }
        out.push_str("</tr>\n");
        for row in &self.rows {
            out.push_str("<tr>");
            for cell in row {
                let class = match cell.as_str() {
                    "holds" => " class=\"holds\"",
                    "falls short" => " class=\"short\"",
                    "not measured" => " class=\"none\"",
                    _ => "",
                };
                let _ = write!(out, "<td{class}>{}</td>", escape(cell));
            }
            out.push_str("</tr>\n");
        }
        out.push_str("</table></div>\n");
    }
}

impl Plate {
    /// The verdict in words.
    pub fn verdict(&self) -> &'static str {
        match self.agrees {
            Some(true) => "Agrees with the paper.",
            Some(false) => "Differs from the paper.",
            None => "The paper has no such claim, or it was not measured here.",
        }
    }

    fn write(&self, number: usize, out: &mut String) {
        let class = match self.agrees {
            Some(true) => " yes",
            Some(false) => " no",
            None => "",
        };
        // In the page the outlines take its width.
        let _ = write!(
            out,
            "<h2 id=\"{}\">{number}. {}</h2>\n<div class=\"verdict{class}\"><p>{} <span class=\"tag\">{}</span></p></div>\n\
             <figure>{}<figcaption class=\"caption\">{}</figcaption></figure>\n",
            self.id,
            escape(&self.title),
            escape(&self.sentence),
            self.verdict(),
            self.svg,
            escape(&self.caption)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_stands_alone() {
        let page = Page {
            title: "A & B".into(),
            intro: "x < y".into(),
            tables: vec![Table {
                id: "t".into(),
                title: "Table".into(),
                head: vec!["verdict".into()],
                rows: vec![vec!["falls short".into()]],
                ..Table::default()
            }],
            plates: vec![Plate {
                id: "acf".into(),
                title: "Autocorrelation".into(),
                caption: "c".into(),
                sentence: "s".into(),
                agrees: Some(false),
                svg: "<svg></svg>".into(),
            }],
            notes: vec!["n".into()],
            recipe: vec![("seed".into(), "1".into())],
        };
        let html = page.html();
        for part in [
            "A &amp; B",
            "x &lt; y",
            "href=\"#acf\"",
            "id=\"acf\"",
            "class=\"short\"",
            "Differs from the paper.",
            "<th>seed</th>",
        ] {
            assert!(html.contains(part), "{part}");
        }
        for part in ["<script", "src=\"http", "@import", "url("] {
            assert!(!html.contains(part), "{part}");
        }
    }
}
