//! The corners of Markdown that whole pages seldom reach; whole pages are compared with the reference in `tests/tests/differential`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::of;

#[test]
fn each_element_has_its_mark() {
    for (html, markdown) in [
        ("<b> x </b>y", " **x** y"),
        ("<p>a_b * c</p>", r"a\_b \* c"),
        ("<code>a`b``c_d</code>", "``` a`b``c_d ```"),
        ("<a href='http://h/a_b'>http://h/a_b</a>", "<http://h/a_b>"),
        ("<a href=/x title='a \"b\"'>t</a>", r#"[t](/x "a \"b\"")"#),
        ("<h1>a <img alt=x src=y></h1>", "# a x"),
        ("<h9>deep</h9>", "###### deep"),
        ("<pre>\n  a\n  b\n\n</pre>", "```\n  a\n  b\n```"),
        ("<blockquote><p>a</p><p>b</p></blockquote>", "> a\n>\n> b"),
        ("<ul><li>a<ul><li>b<ul><li>c</li></ul></li></ul></li></ul>", "* a\n  + b\n    - c"),
        ("<ol start=9><li>a</li><li>b</li></ol><p>c</p>", "9. a\n10. b\n\nc"),
        ("<dl><dt>t</dt><dd>d<p>e</p></dd></dl>", "t\n:   d\n\n    e"),
        ("a<br>b", "a  \nb"),
        ("<q>x</q><hr>", "\"x\"\n\n---"),
        ("<script>x</script><style>y</style>z", "z"),
        ("<video src=v poster=p>t</video>", "[![t](p)](v)"),
    ] {
        assert_eq!(of(html), markdown, "{html}");
    }
}

#[test]
fn tables_have_a_head_even_where_the_page_has_none() {
    assert_eq!(
        of("<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"),
        "| a | b |\n| --- | --- |\n| 1 | 2 |"
    );
    assert_eq!(of("<table><tr><td colspan=2>1</td></tr></table>"), "|  |  |\n| --- | --- |\n| 1 | |");
    let wide = of("<table><tr><td colspan=99999999999999999999>1</td></tr></table>");
    assert!(wide.len() < 20_000, "{}", wide.len());
}

#[test]
fn what_is_nested_without_end_comes_to_an_end() {
    for tag in ["div", "ul", "b", "blockquote", "table"] {
        let html = format!("{}x", format!("<{tag}>").repeat(50_000));
        assert!(of(&html).contains('x'), "{tag}");
    }
}
