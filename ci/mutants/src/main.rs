//! Builds every mutation into the sources at once, each behind a switch, so that the crate is compiled once and not once for each.
//!
//!     switched LIST SOURCE    LIST: what `cargo mutants --list --json` says, with an `id` for each; SOURCE: the copy to be rewritten
//!
//! Which mutations there are and what each does is for cargo-mutants; how it is switched is decided here:
//! a value of a function is returned first thing, an operator has one arm for each of its mutations, an arm of a match has one more guard.
//! What cannot be switched in place is printed, one id to a line.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::{env, fs};

use proc_macro2::{LineColumn, Span};
use serde::Deserialize;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Arm, BinOp, Expr, ExprBinary, ExprUnary};

#[derive(Deserialize)]
struct Mutant {
    id: u32,
    file: String,
    genre: String,
    replacement: String,
    span: Place,
}

#[derive(Deserialize)]
struct Place {
    start: Position,
}

#[derive(Clone, Copy, Deserialize)]
struct Position {
    line: usize,
    column: usize,
}

/// What is put in the place of a range of the text. Nodes lie inside of each other or apart.
struct Node {
    range: Range<usize>,
    kind: Kind,
}

enum Kind {
    /// `return` at the start of a body.
    Values(Vec<(u32, String)>),
    /// `left operator right`, with other operators.
    Binary { left: Range<usize>, operator: Range<usize>, right: Range<usize>, others: Vec<(u32, String)> },
    /// `operator operand`, without it.
    Unary { operand: Range<usize>, id: u32 },
    /// A guard that holds always or never.
    Guard(Vec<(u32, String)>),
    /// One more guard behind a pattern, and before the guard that there is.
    NoArm { id: u32, has_guard: bool },
}

struct Text<'a> {
    text: &'a str,
    lines: Vec<usize>,
}

impl<'a> Text<'a> {
    fn new(text: &'a str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { text, lines: std::iter::once(0).chain(ends).collect() }
    }

    /// From a line that counts from one and a column in characters that counts from nought.
    fn offset(&self, line: usize, column: usize) -> usize {
        let start = self.lines[line - 1];
        self.text[start..].char_indices().nth(column).map_or(self.text.len(), |(at, _)| start + at)
    }

    fn at(&self, place: LineColumn) -> usize {
        self.offset(place.line, place.column)
    }

    fn range(&self, span: Span) -> Range<usize> {
        self.at(span.start())..self.at(span.end())
    }
}

struct Finder<'a> {
    text: &'a Text<'a>,
    /// By where their text starts: operators, guards and arms.
    wanted: HashMap<(usize, &'static str), Vec<(u32, String)>>,
    nodes: Vec<Node>,
}

/// A chain of conditions with a `let` in it is no expression that may stand elsewhere.
fn has_let(expression: &Expr) -> bool {
    match expression {
        Expr::Let(_) => true,
        Expr::Binary(ExprBinary { left, op: BinOp::And(_), right, .. }) => has_let(left) || has_let(right),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_expr_binary(&mut self, it: &'ast ExprBinary) {
        let operator = self.text.range(it.op.span());
        if !has_let(&it.left) && !has_let(&it.right)
            && let Some(others) = self.wanted.remove(&(operator.start, "BinaryOperator")) {
                let (left, right) = (self.text.range(it.left.span()), self.text.range(it.right.span()));
                self.nodes.push(Node {
                    range: left.start..right.end,
                    kind: Kind::Binary { left, operator, right, others },
                });
            }
        visit::visit_expr_binary(self, it);
    }

    fn visit_expr_unary(&mut self, it: &'ast ExprUnary) {
        let operator = self.text.range(it.op.span());
        if let Some(found) = self.wanted.remove(&(operator.start, "UnaryOperator")) {
            let operand = self.text.range(it.expr.span());
            self.nodes.push(Node {
                range: operator.start..operand.end,
                kind: Kind::Unary { operand, id: found[0].0 },
            });
        }
        visit::visit_expr_unary(self, it);
    }

    fn visit_arm(&mut self, it: &'ast Arm) {
        let pattern = self.text.range(it.pat.span());
        let guard = it.guard.as_ref().map(|(_, guard)| self.text.range(guard.span()));
        if let Some(found) = self.wanted.remove(&(self.text.range(it.span()).start, "MatchArm")) {
            let at = guard.as_ref().map_or(pattern.end, |guard| guard.start);
            self.nodes.push(Node {
                range: at..at,
                kind: Kind::NoArm { id: found[0].0, has_guard: guard.is_some() },
            });
        }
        if let Some(range) = guard
            && let Some(found) = self.wanted.remove(&(range.start, "MatchArmGuard")) {
                self.nodes.push(Node { range, kind: Kind::Guard(found) });
            }
        visit::visit_arm(self, it);
    }
}

/// The text of a range with its nodes switched.
fn emit(text: &str, nodes: &[Node], range: Range<usize>, out: &mut String) {
    let mut at = range.start;
    let mut rest = nodes;
    while let Some((node, later)) = rest.split_first() {
        if node.range.start >= range.end && !(node.range.start == range.end && node.range.is_empty()) {
            break;
        }
        // Those inside of this one come right behind it.
        let inner = later.iter().take_while(|it| it.range.start < node.range.end).count();
        let (inside, behind) = later.split_at(inner);
        out.push_str(&text[at..node.range.start]);
        write(text, node, inside, out);
        at = node.range.end;
        rest = behind;
    }
    out.push_str(&text[at..range.end]);
}

fn within(nodes: &[Node], range: &Range<usize>) -> Range<usize> {
    let first = nodes.partition_point(|it| it.range.start < range.start);
    let end = nodes.partition_point(|it| it.range.start < range.end);
    first..end
}

fn write(text: &str, node: &Node, inside: &[Node], out: &mut String) {
    match &node.kind {
        Kind::Values(values) => {
            for (id, value) in values {
                out.push_str(&format!("\nif crate::switched::is({id}) {{ return {value}; }}\n"));
            }
        }
        Kind::Binary { left, operator, right, others } => {
            let (raw_left, raw_right) = (&text[left.clone()], &text[right.clone()]);
            out.push('(');
            for (id, other) in others {
                out.push_str(&format!(
                    "if crate::switched::is({id}) {{ {raw_left} {other} {raw_right} }}\nelse "
                ));
            }
            out.push_str("{ ");
            emit(text, &inside[within(inside, left)], left.clone(), out);
            out.push_str(&format!(" {} ", &text[operator.clone()]));
            emit(text, &inside[within(inside, right)], right.clone(), out);
            out.push_str(" })");
        }
        Kind::Unary { operand, id } => {
            let raw = &text[operand.clone()];
            out.push_str(&format!("(if crate::switched::is({id}) {{ {raw} }}\nelse {{ "));
            out.push_str(&text[node.range.start..operand.start]);
            emit(text, &inside[within(inside, operand)], operand.clone(), out);
            out.push_str(" })");
        }
        Kind::Guard(values) => {
            out.push('(');
            for (id, value) in values {
                out.push_str(&format!("if crate::switched::is({id}) {{ {value} }}\nelse "));
            }
            out.push_str("{ ");
            emit(text, inside, node.range.clone(), out);
            out.push_str(" })");
        }
        Kind::NoArm { id, has_guard: false } => out.push_str(&format!(" if !crate::switched::is({id})\n")),
        Kind::NoArm { id, has_guard: true } => out.push_str(&format!("!crate::switched::is({id})\n && ")),
    }
}

fn main() {
    let [list, source] = env::args().skip(1).collect::<Vec<_>>().try_into().expect("LIST SOURCE");
    let list = fs::read_to_string(list).expect("the list can be read");
    let mutants: Vec<Mutant> = serde_json::from_str(&list).expect("a list of mutations");
    let mut files: BTreeMap<String, Vec<Mutant>> = BTreeMap::new();
    for mutant in mutants {
        files.entry(mutant.file.clone()).or_default().push(mutant);
    }
    for (file, mutants) in files {
        let path = format!("{source}/{file}");
        let content = fs::read_to_string(&path).expect("a file of the list");
        let text = Text::new(&content);
        let mut finder = Finder { text: &text, wanted: HashMap::new(), nodes: Vec::new() };
        let mut values: BTreeMap<usize, Vec<(u32, String)>> = BTreeMap::new();
        for Mutant { id, genre, replacement, span, .. } in mutants {
            let at = text.offset(span.start.line, span.start.column - 1);
            let kind = match genre.as_str() {
                "FnValue" => {
                    values.entry(at).or_default().push((id, replacement));
                    continue;
                }
                "BinaryOperator" => "BinaryOperator",
                "UnaryOperator" => "UnaryOperator",
                "MatchArm" => "MatchArm",
                "MatchArmGuard" => "MatchArmGuard",
                _ => {
                    println!("{id}");
                    continue;
                }
            };
            finder.wanted.entry((at, kind)).or_default().push((id, replacement));
        }
        let tree = syn::parse_file(&content).expect("a file that compiles");
        finder.visit_file(&tree);
        for (id, _) in finder.wanted.values().flatten() {
            println!("{id}");
        }
        let mut nodes = finder.nodes;
        nodes.extend(values.into_iter().map(|(at, list)| Node { range: at..at, kind: Kind::Values(list) }));
        // The outer one first; what is only put in, before what starts there.
        nodes.sort_by_key(|it| (it.range.start, !it.range.is_empty(), std::cmp::Reverse(it.range.end)));
        let mut out = String::new();
        emit(&content, &nodes, 0..content.len(), &mut out);
        fs::write(&path, out).expect("the copy can be written");
    }
}
