//! Links between documents lead somewhere.

use std::collections::BTreeSet;

use super::Finding;
use crate::root::TextFile;

/// Findings about links in Markdown files that lead to no file or folder of the checkout.
pub(super) fn check(files: &[TextFile], paths: &[String]) -> Vec<Finding> {
    let known: BTreeSet<&str> = paths.iter().flat_map(|path| and_folders(path)).collect();
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        for (line, target) in links(&file.text) {
            if leads_nowhere(&file.path, &target, &known) {
                let what = format!("the link to `{target}` leads nowhere: correct it or add what is missing");
                findings.push(Finding::new(format!("{}:{line}", file.path), what));
            }
        }
    }
    findings
}

/// A path and all the folders above it.
fn and_folders(path: &str) -> Vec<&str> {
    std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(folder, _)| folder)).collect()
}

/// Targets of the links in a text, with their line numbers. What stands in code is no link.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_fence = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~") {
            in_fence = !in_fence;
            continue;
        }
        if in_fence {
            continue;
        }
        // Every second part of a line that is cut at backticks is code.
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        found.extend(inline_targets(&prose).into_iter().map(|target| (number + 1, target)));
    }
    found
}

/// Targets of `[text](target)`, `![text](target "title")` and `[name]: target` in a line.
fn inline_targets(line: &str) -> Vec<String> {
    let defined =
        line.trim_start().strip_prefix('[').and_then(|rest| rest.split_once("]:")).map(|(_, target)| target);
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let targets = inline.chain(defined.filter(|_| !line.contains("](")));
    targets
        .filter_map(|target| target.split_whitespace().next())
        .map(|target| target.trim_matches(['<', '>']).to_owned())
        .collect()
}

/// Whether a link is to a place of this checkout that is not there.
fn leads_nowhere(from: &str, target: &str, known: &BTreeSet<&str>) -> bool {
    let path = target.split(['#', '?']).next().unwrap_or_default();
    if path.is_empty() || target.contains("://") || target.starts_with("mailto:") {
        return false;
    }
    match resolve(from, path) {
        Some(resolved) => !resolved.is_empty() && !known.contains(resolved.as_str()),
        None => true,
    }
}

/// The path below the top folder that a relative link leads to; nothing when it leads out of the checkout.
fn resolve(from: &str, target: &str) -> Option<String> {
    let from_top = target.starts_with('/');
    let mut parts: Vec<&str> = if from_top { Vec::new() } else { from.split('/').collect() };
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places of links that lead nowhere, in a text that stands at `docs/how-to/a.md`.
    fn found(text: &str) -> Vec<String> {
        let file = TextFile { path: "docs/how-to/a.md".to_owned(), text: text.to_owned() };
        let paths = ["README.md", "docs/how-to/a.md", "docs/b.md"].map(str::to_owned);
        check(&[file], &paths).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn links_to_what_is_there_are_fine() {
        let text = "[b](../b.md) and [top](../../README.md#start), [here](#part), [folder](../how-to/), \
                    [site](https://example.org/x), ![picture](./a.md \"title\"), [up](../..)\n[name]: ../b.md\n";
        assert_eq!(found(text), [""; 0]);
    }

    #[test]
    fn links_to_what_is_not_there_are_found() {
        for target in ["c.md", "../c.md", "../../../README.md", "b.md#part", "/docs/c.md"] {
            let found = found(&format!("see [it]({target})"));
            let what = format!("the link to `{target}` leads nowhere: correct it or add what is missing");
            assert_eq!(found, [what]);
        }
        assert_eq!(found("[name]: c.md").len(), 1);
        assert_eq!(found("[one](../b.md) [two](c.md)").len(), 1);
    }

    #[test]
    fn code_holds_no_links() {
        assert_eq!(found("```\n[a](c.md)\n```\n`[a](c.md)` [ok](../b.md)\n"), [""; 0]);
        assert_eq!(found("```\ncode\n```\n[a](c.md)\n").len(), 1);
    }
}
