//! The types of the component model that a JSON value can be of, as plain data: what a schema and a conversion need to
//! know, and nothing of wasmtime's handles. Bounded, because a small type section can describe a huge type.

use std::collections::BTreeMap;
use std::sync::Arc;

use wasmtime::component::Type;

/// Deepest nesting of a type. JSON is taken to 64 levels (`sandbox/json.rs`), a level of a type is at most one of JSON,
/// and a result stands one deeper.
const MAX_DEPTH: usize = 32;
/// Most parts of the types of one function.
const MAX_PARTS: usize = 2_000;

/// A type of values.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Bool,
    Int(Int),
    F32,
    F64,
    Char,
    Text,
    List(Box<Shape>),
    Tuple(Vec<Shape>),
    /// Fields in their order.
    Record(Vec<(String, Shape)>),
    /// Cases in their order.
    Variant(Vec<(String, Option<Shape>)>),
    Enum(Vec<String>),
    Flags(Vec<String>),
    Option(Box<Shape>),
    Result(Option<Box<Shape>>, Option<Box<Shape>>),
    /// The same, with what its author wrote about it.
    Described(Arc<Words>, Box<Shape>),
}

/// The integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Int {
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
}

impl Int {
    /// The smallest and the largest.
    pub(super) fn range(self) -> (i128, i128) {
        match self {
            Self::S8 => (i8::MIN.into(), i8::MAX.into()),
            Self::U8 => (0, u8::MAX.into()),
            Self::S16 => (i16::MIN.into(), i16::MAX.into()),
            Self::U16 => (0, u16::MAX.into()),
            Self::S32 => (i32::MIN.into(), i32::MAX.into()),
            Self::U32 => (0, u32::MAX.into()),
            Self::S64 => (i64::MIN.into(), i64::MAX.into()),
            Self::U64 => (0, u64::MAX.into()),
        }
    }
}

/// What an author wrote about a type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// About the type.
    pub(super) docs: Option<String>,
    /// About its fields, cases or flags, by name.
    pub(super) items: BTreeMap<String, String>,
}

impl Shape {
    /// Whether `null` is a value of it, so that an option of it needs another way to say *none*.
    pub(super) fn takes_null(&self) -> bool {
        match self {
            Self::Option(_) => true,
            Self::Described(_, of) => of.takes_null(),
            _ => false,
        }
    }

    /// The type without what was written about it.
    pub(super) fn plain(&self) -> &Self {
        match self {
            Self::Described(_, of) => of.plain(),
            other => other,
        }
    }
}

/// Why a type cannot be offered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoShape {
    /// It is more than a value.
    #[error("{path} is {what}, which is no plain value")]
    Kind {
        /// Where it stands.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// It is nested too deep.
    #[error("{path} is nested deeper than {MAX_DEPTH} types")]
    Depth {
        /// Where that is.
        path: String,
    },
    /// It has too many parts.
    #[error("its types have more than {MAX_PARTS} parts")]
    Parts,
}

/// Reads the types of one function.
pub(super) struct Reader<'a> {
    /// What was written about a type, if it has a name.
    words: &'a dyn Fn(&Type) -> Option<Arc<Words>>,
    parts: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(words: &'a dyn Fn(&Type) -> Option<Arc<Words>>) -> Self {
        Self { words, parts: 0, depth: 0 }
    }

    /// The shape of a type that stands at `path`, which is for messages.
    ///
    /// # Errors
    /// When it holds what is no plain value, or is too large.
    pub(super) fn read(&mut self, ty: &Type, path: &str) -> Result<Shape, NoShape> {
        self.parts += 1;
        if guarded!("function-types", self.parts > MAX_PARTS) {
            return Err(NoShape::Parts);
        }
        if guarded!("function-types", self.depth >= MAX_DEPTH) {
            return Err(NoShape::Depth { path: path.to_owned() });
        }
        self.depth += 1;
        let shape = self.kind(ty, path);
        self.depth -= 1;
        let shape = shape?;
        Ok(match (self.words)(ty) {
            Some(words) => Shape::Described(words, Box::new(shape)),
            None => shape,
        })
    }

    fn boxed(&mut self, ty: &Type, path: &str) -> Result<Box<Shape>, NoShape> {
        self.read(ty, path).map(Box::new)
    }

    fn kind(&mut self, ty: &Type, path: &str) -> Result<Shape, NoShape> {
        let no = |what| Err(NoShape::Kind { path: path.to_owned(), what });
        Ok(match ty {
            Type::Bool => Shape::Bool,
            Type::S8 => Shape::Int(Int::S8),
            Type::U8 => Shape::Int(Int::U8),
            Type::S16 => Shape::Int(Int::S16),
            Type::U16 => Shape::Int(Int::U16),
            Type::S32 => Shape::Int(Int::S32),
            Type::U32 => Shape::Int(Int::U32),
            Type::S64 => Shape::Int(Int::S64),
            Type::U64 => Shape::Int(Int::U64),
            Type::Float32 => Shape::F32,
            Type::Float64 => Shape::F64,
            Type::Char => Shape::Char,
            Type::String => Shape::Text,
            Type::List(list) => Shape::List(self.boxed(&list.ty(), &format!("an item of {path}"))?),
            Type::Tuple(tuple) => {
                let mut items = Vec::new();
                for (at, ty) in tuple.types().enumerate() {
                    items.push(self.read(&ty, &format!("part {at} of {path}"))?);
                }
                Shape::Tuple(items)
            }
            Type::Record(record) => {
                let mut fields = Vec::new();
                for field in record.fields() {
                    let shape = self.read(&field.ty, &format!("the field `{}` of {path}", field.name))?;
                    fields.push((field.name.to_owned(), shape));
                }
                Shape::Record(fields)
            }
            Type::Variant(variant) => {
                let mut cases = Vec::new();
                for case in variant.cases() {
                    let at = || format!("the case `{}` of {path}", case.name);
                    let shape = case.ty.as_ref().map(|ty| self.read(ty, &at())).transpose()?;
                    cases.push((case.name.to_owned(), shape));
                }
                self.parts += cases.len();
                Shape::Variant(cases)
            }
            Type::Enum(names) => Shape::Enum(self.names(names.names())),
            Type::Flags(names) => Shape::Flags(self.names(names.names())),
            Type::Option(option) => Shape::Option(self.boxed(&option.ty(), path)?),
            Type::Result(result) => {
                let mut side = |ty: Option<Type>| ty.map(|ty| self.boxed(&ty, path)).transpose();
                let ok = side(result.ok())?;
                Shape::Result(ok, side(result.err())?)
            }
            Type::Own(_) | Type::Borrow(_) => return no("a resource"),
            Type::Future(_) => return no("a future"),
            Type::Stream(_) => return no("a stream"),
            Type::ErrorContext => return no("an error context"),
            // Both are proposals that the engine has switched off, so the compiler refuses them before.
            Type::Map(_) => return no("a map"),
            Type::FixedLengthList(_) => return no("a list of fixed length"),
        })
    }

    fn names<'n>(&mut self, names: impl ExactSizeIterator<Item = &'n str>) -> Vec<String> {
        self.parts += names.len();
        names.map(str::to_owned).collect()
    }
}
