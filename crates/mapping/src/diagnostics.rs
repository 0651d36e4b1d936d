//! Why a mapping file is refused: a code, the place in the file, and what would help.
//!
//! Problems are collected, not thrown: one load shows all that is wrong.

use crate::File;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::fmt;
use std::ops::Range;

/// More than these are not shown: the first ones explain the rest.
const DIAGNOSTICS_MAX: usize = 60;

/// Why a file is refused; `Display` shows the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// As in `words/not_read_back`.
    pub code: &'static str,
    rendered: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rendered)
    }
}

impl std::error::Error for Diagnostic {}

/// A place: bytes of one of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub file: usize,
    pub start: usize,
    pub end: usize,
}

/// A problem before it is rendered.
pub(crate) struct Problem {
    code: &'static str,
    title: String,
    places: Vec<(Span, String)>,
    help: Option<String>,
}

impl Problem {
    pub fn new(code: &'static str, title: impl Into<String>) -> Self {
        Self { code, title: title.into(), places: Vec::new(), help: None }
    }

    /// Adds a place; the first one is where the caret stands.
    pub fn at(mut self, span: Span, label: impl Into<String>) -> Self {
        self.places.push((span, label.into()));
        self
    }

    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}

/// Where problems are collected.
pub(crate) struct Sink<'a> {
    files: &'a [File<'a>],
    found: Vec<Diagnostic>,
}

impl<'a> Sink<'a> {
    pub fn new(files: &'a [File<'a>]) -> Self {
        Self { files, found: Vec::new() }
    }

    pub fn push(&mut self, problem: Problem) {
        if self.found.len() >= DIAGNOSTICS_MAX {
            return;
        }
        let diagnostic = Diagnostic { code: problem.code, rendered: self.render(&problem) };
        if !self.found.contains(&diagnostic) {
            self.found.push(diagnostic);
        }
    }

    /// The common case: one place, no help.
    pub fn error(&mut self, code: &'static str, span: Span, title: impl Into<String>, label: impl Into<String>) {
        self.push(Problem::new(code, title).at(span, label));
    }

    pub fn count(&self) -> usize {
        self.found.len()
    }

    pub fn into_found(self) -> Vec<Diagnostic> {
        self.found
    }

    fn render(&self, problem: &Problem) -> String {
        let mut group = Group::with_title(Level::ERROR.primary_title(problem.title.as_str()).id(problem.code));
        let mut files: Vec<usize> = Vec::new();
        for (span, _) in &problem.places {
            if !files.contains(&span.file) {
                files.push(span.file);
            }
        }
        for file in files {
            let Some(source) = self.files.get(file) else { continue };
            let mut snippet = Snippet::source(source.text).path(source.name);
            for (nth, (span, label)) in problem.places.iter().enumerate().filter(|(_, (span, _))| span.file == file) {
                let kind = if nth == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
                snippet = snippet.annotation(kind.span(whole(*span, source.text)).label(label.as_str()));
            }
            group = group.element(snippet);
        }
        if let Some(help) = &problem.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        Renderer::plain().render(&[group])
    }
}

/// The place in whole characters: a file may begin with one of several bytes, as some editors have it.
fn whole(span: Span, text: &str) -> Range<usize> {
    let end = text.ceil_char_boundary(span.end);
    text.floor_char_boundary(span.start.min(end))..end
}
