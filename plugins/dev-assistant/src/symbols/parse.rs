//! The definitions of a name in one source text. Must not read files.

use std::ops::Range;

use kennel_sdk::{Result, ResultExt as _};
use tree_sitter::{Parser, Tree};

use super::Kind;
use super::language::Spoken;
use super::rules::{Ancestor, Rules};

/// A language made ready, once for all its files.
pub(crate) struct Reader {
    parser: Parser,
    rules: Rules,
}

/// Where a name is defined in a text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) kind: Kind,
    /// The line, from 0.
    pub(crate) row: usize,
    /// The bytes of the name.
    pub(crate) place: Range<usize>,
}

impl Reader {
    /// For a language.
    ///
    /// # Errors
    /// When its grammar is of another age than the parser, which the tests exclude.
    pub(crate) fn new(language: &Spoken) -> Result<Self> {
        let mut parser = Parser::new();
        parser.set_language(&language.grammar.into()).context(language.name)?;
        Ok(Self { parser, rules: Rules::read(language.rules) })
    }

    /// Where `name` stands so that it may be a definition. Without any, there is nothing to parse.
    pub(crate) fn candidates(&self, source: &[u8], name: &str) -> Vec<usize> {
        let all = memchr::memmem::find_iter(source, name.as_bytes());
        all.filter(|start| self.rules.may_define(source, *start, start + name.len())).collect()
    }

    /// Which of these candidates, names of so many bytes, are definitions. What does not parse is passed over, the rest
    /// is found.
    pub(crate) fn definitions(
        &mut self,
        source: &[u8],
        candidates: &[usize],
        length: usize,
    ) -> Vec<Definition> {
        match self.parser.parse(source, None) {
            Some(tree) => self.below(&tree, candidates, length),
            None => Vec::new(),
        }
    }

    /// Goes through the tree once, into those nodes alone in which one of the places is.
    fn below(&self, tree: &Tree, starts: &[usize], length: usize) -> Vec<Definition> {
        let mut found = Vec::new();
        let mut ahead = starts.iter().peekable();
        let mut cursor = tree.walk();
        let mut path: Vec<Ancestor<'_>> = Vec::new();
        loop {
            let node = cursor.node();
            while ahead.next_if(|start| **start < node.start_byte()).is_some() {}
            let Some(start) = ahead.peek().map(|start| **start) else { return found };
            if start < node.end_byte() {
                path.push(Ancestor { node, field: cursor.field_name() });
                if cursor.goto_first_child() {
                    continue;
                }
                if node.byte_range() == (start..start + length)
                    && let Some(kind) = self.rules.defines(&path)
                {
                    found.push(Definition { kind, row: node.start_position().row, place: node.byte_range() });
                }
                path.pop();
            }
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    return found;
                }
                path.pop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::symbols::language;

    fn named(reader: &mut Reader, source: &str, name: &str) -> Vec<Definition> {
        let candidates = reader.candidates(source.as_bytes(), name);
        reader.definitions(source.as_bytes(), &candidates, name.len())
    }

    /// The definitions of every word of a source: `kind name` in the order they stand.
    fn all(file: &str, source: &str) -> String {
        let language = &language::ALL[language::of(std::path::Path::new(file)).unwrap()];
        let mut reader = Reader::new(language).unwrap();
        let mut words: Vec<&str> =
            source.split(|letter: char| !letter.is_alphanumeric() && !"_#$".contains(letter)).collect();
        words.sort_unstable();
        words.dedup();
        let mut found = Vec::new();
        for word in words.into_iter().filter(|word| !word.is_empty()) {
            for definition in named(&mut reader, source, word) {
                found.push((definition.place.start, format!("{} {word}", definition.kind.name())));
            }
        }
        found.sort();
        found.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn rust() {
        let source = "const A: u8 = 1; static B: u8 = 2;\n\
            struct C { d: u8 } enum E { F } trait G { type H; fn i(&self); } union U { x: u8 } type J = C;\n\
            impl G for C { fn i(&self) { let k = |l: u8| l; let mut m = self.d; let (n, o) = (1, 2); k(m); } }\n\
            macro_rules! p { () => {} } mod q { pub fn r() { p!(); } }";
        assert_eq!(
            all("x.rs", source),
            "variable A, variable B, class C, variable d, class E, variable F, class G, class H, function i, class U, \
             variable x, class J, function i, function k, variable m, variable n, variable o, function p, function r"
        );
    }

    #[test]
    fn python() {
        let source = "import os\nA = 1\nb: int = 2\nc, d = 1, 2\ne = lambda f: f\n\
            class G(Base):\n    h = 3\n    @property\n    def i(self, j):\n        self.k = j\n        other.l = 1\n\
            async def m():\n    if (n := 1):\n        return A\ntype O = int\n";
        assert_eq!(
            all("x.py", source),
            "variable A, variable b, variable c, variable d, function e, class G, variable h, function i, variable k, \
             variable l, function m, variable n, class O"
        );
    }

    #[test]
    fn javascript_and_typescript() {
        let source = "function a(b) { return b } const c = () => 1, d = 2; let { e, f: g } = h; var [i] = j;\n\
            class K extends L { m = 1; n = () => 2; #o = 3; p() {} static q() {} get r() {} }\n\
            const S = class { }; x.t = function () {}; const u = { v: () => 1, w() {} }; function* y() {} export default class Z {}";
        let both = "function a, function c, variable d, variable e, variable g, variable i, class K, variable m, function n, variable #o, \
            function p, function q, function r, class S, function t, variable u, function v, function w, function y, class Z";
        assert_eq!(all("x.js", source), both);
        assert_eq!(all("x.tsx", source), both);
        let source = "interface A { b: string; c(): void } type D<T> = T; enum E { F, G = 2 }\n\
            abstract class H { private i = 1; abstract j(): void; k(): D<string> { return <L>x } }\n\
            declare function m(n: number): void; const o = (p: A) => p; const q: A = o;";
        assert_eq!(
            all("x.ts", source.replace("<L>x", "x as L").as_str()),
            "class A, variable b, function c, class D, class E, variable F, variable G, class H, variable i, function j, \
             function k, function m, function o, variable q"
        );
    }

    #[test]
    fn go() {
        let source = "package p\nconst A = 1\nvar b, c int\ntype D struct { e int }\ntype F interface { G() }\ntype H = D\n\
            func i(j int) { k := 1; l, m := 1, 2; n := func() {}; n() }\nfunc (o *D) P() {}\n";
        assert_eq!(
            all("x.go", source),
            "variable A, variable b, variable c, class D, variable e, class F, function G, class H, function i, \
             variable k, variable l, variable m, function n, function P"
        );
    }

    #[test]
    fn c() {
        let source = "#define A 1\n#define B(x) x\nstruct C { int d; char *e; };\ntypedef struct { int f; } G;\nenum H { I, J = 2 };\n\
            union K { int l; };\nint m(int n);\nstatic char *o(void) { int p = 1, *q; char r[2]; return 0; }\nstruct C s;\nextern int t;\n\
            typedef int (*u)(int);\n";
        assert_eq!(
            all("x.h", source),
            "variable A, function B, class C, variable d, variable e, variable f, class G, class H, variable I, variable J, \
             class K, variable l, function m, function o, variable p, variable q, variable r, variable s, variable t, class u"
        );
    }

    #[test]
    fn java() {
        let source = "class A { int b = 1; A() {} void c(int d) { int e = 2; Runnable f = () -> {}; } }\n\
            interface G { void h(); } enum I { J, K } record L(int m) {} @interface N { int o(); }";
        assert_eq!(
            all("X.java", source),
            "class A, variable b, function A, function c, variable e, function f, class G, function h, class I, variable J, \
             variable K, class L, class N, function o"
        );
    }

    #[test]
    fn what_does_not_parse_hides_nothing_else() {
        assert_eq!(all("x.rs", "fn a( {{{ ) fn b() {}\nstruct C;"), "function b, class C");
        assert_eq!(all("x.py", "\u{0}\u{1}"), "");
        let source = "fn ä() {}\nfn äb() {}";
        let language = &language::ALL[language::of(std::path::Path::new("x.rs")).unwrap()];
        let found = named(&mut Reader::new(language).unwrap(), source, "ä");
        assert_eq!(found, [Definition { kind: Kind::Function, row: 0, place: 3..5 }]);
    }
}
