//! A small reader of type information. It never panics: it returns an error or `None` for what it
//! cannot follow.

use xsk_uapi::btf::*;

/// How deep types may be nested before the reader gives up.
const DEEPEST: u32 = 32;

/// How many members are read before the reader gives up: their number can double at each level of
/// nesting.
const MOST: u32 = 1 << 16;

/// The type information of a kernel.
pub(crate) struct Btf {
    types: Vec<Type>,
    strings: Vec<u8>,
}

/// One type with the records that follow it.
struct Type {
    name: u32,
    kind: u8,
    flag: bool,
    /// Size or referred type, by kind.
    size: u32,
    /// Three words per member, two or three per value, three for an array.
    words: Vec<u32>,
}

/// A member of a struct or union, counted from the start of the outermost type.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// Name; never empty.
    pub(crate) name: String,
    /// Offset in bits.
    pub(crate) bit: usize,
    /// Size in bytes; zero for an array without a length.
    pub(crate) size: usize,
    /// Width of a bit-field in bits, or zero.
    pub(crate) bits: u32,
}

impl Btf {
    /// Reads all types.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Btf, String> {
        let half = |at: usize| {
            Some(u16::from_ne_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
        };
        if half(0) != Some(BTF_MAGIC) {
            return Err("no type information in this machine's byte order".into());
        }
        let short = || "the header is cut off".to_string();
        let head = word(bytes, 4).ok_or_else(short)?;
        let part = |offset: usize| {
            let start = widen(word(bytes, offset)?)?.checked_add(widen(head)?)?;
            let len = widen(word(bytes, offset.checked_add(4)?)?)?;
            bytes.get(start..start.checked_add(len)?)
        };
        let (types, strings) = (part(8).ok_or_else(short)?, part(16).ok_or_else(short)?);
        let mut btf = Btf { types: Vec::new(), strings: strings.to_vec() };
        let mut rest = types;
        while !rest.is_empty() {
            let (ty, tail) =
                Type::parse(rest).ok_or_else(|| format!("type {} is cut off", btf.types.len()))?;
            btf.types.push(ty);
            rest = tail;
        }
        Ok(btf)
    }

    /// The number of types.
    pub(crate) fn len(&self) -> usize {
        self.types.len()
    }

    /// The struct or union of that name.
    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        let named = |t: &Type| t.is_aggregate() && self.string(t.name) == Some(name);
        let at = self.types.iter().position(named)?;
        u32::try_from(at.checked_add(1)?).ok()
    }

    /// The size of a type in bytes.
    pub(crate) fn size(&self, id: u32) -> Option<usize> {
        self.size_within(id, DEEPEST)
    }

    fn size_within(&self, id: u32, depth: u32) -> Option<usize> {
        let depth = depth.checked_sub(1)?;
        let ty = self.get(id)?;
        match ty.kind {
            BTF_KIND_INT | BTF_KIND_STRUCT | BTF_KIND_UNION | BTF_KIND_ENUM | BTF_KIND_FLOAT
            | BTF_KIND_DATASEC | BTF_KIND_ENUM64 => widen(ty.size),
            BTF_KIND_PTR => Some(size_of::<usize>()),
            BTF_KIND_ARRAY => {
                self.size_within(*ty.words.first()?, depth)?.checked_mul(widen(*ty.words.get(2)?)?)
            }
            BTF_KIND_TYPEDEF | BTF_KIND_VOLATILE | BTF_KIND_CONST | BTF_KIND_RESTRICT
            | BTF_KIND_TYPE_TAG => self.size_within(ty.size, depth),
            _ => None,
        }
    }

    /// The types of all members of a struct or union, named or not.
    pub(crate) fn alternatives(&self, id: u32) -> Vec<u32> {
        self.get(id).map_or(Vec::new(), |ty| {
            ty.words.chunks_exact(3).filter_map(|m| m.get(1).copied()).collect()
        })
    }

    /// The named members of a struct or union and of unnamed ones inside it; with `deep` also those
    /// of named ones.
    pub(crate) fn members(&self, id: u32, deep: bool) -> Option<Vec<Member>> {
        let (mut found, mut left) = (Vec::new(), MOST);
        self.collect(id, 0, deep, DEEPEST, &mut left, &mut found)?;
        Some(found)
    }

    fn collect(
        &self,
        id: u32,
        base: usize,
        deep: bool,
        depth: u32,
        left: &mut u32,
        found: &mut Vec<Member>,
    ) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        let ty = self.get(self.resolve(id)?)?;
        for member in ty.words.chunks_exact(3) {
            *left = left.checked_sub(1)?;
            let &[name, of, offset] = member else {
                return None;
            };
            let (bit, bits) =
                if ty.flag { (offset & 0xff_ffff, offset >> 24) } else { (offset, 0) };
            let bit = base.checked_add(widen(bit)?)?;
            let name = self.string(name)?;
            if !name.is_empty() {
                found.push(Member { name: name.into(), bit, size: self.size(of)?, bits });
            }
            let inner = self.get(self.resolve(of)?)?;
            if inner.is_aggregate() && (deep || name.is_empty()) {
                self.collect(of, bit, deep, depth, left, found)?;
            }
        }
        Some(())
    }

    /// All values of all enumerations.
    pub(crate) fn enumerators(&self) -> impl Iterator<Item = (&str, i128)> {
        self.types.iter().flat_map(|ty| {
            let step = match ty.kind {
                BTF_KIND_ENUM => 2,
                BTF_KIND_ENUM64 => 3,
                _ => usize::MAX,
            };
            ty.words.chunks_exact(step).filter_map(|value| match (value, ty.flag) {
                (&[name, low], true) => {
                    Some((self.string(name)?, i32::from_ne_bytes(low.to_ne_bytes()).into()))
                }
                (&[name, low], false) => Some((self.string(name)?, low.into())),
                (&[name, low, high], signed) => {
                    let all = u64::from(high) << 32 | u64::from(low);
                    let value = if signed {
                        i64::from_ne_bytes(all.to_ne_bytes()).into()
                    } else {
                        all.into()
                    };
                    Some((self.string(name)?, value))
                }
                _ => None,
            })
        })
    }

    fn get(&self, id: u32) -> Option<&Type> {
        self.types.get(widen(id)?.checked_sub(1)?)
    }

    /// Follows typedefs and qualifiers to the type they stand for.
    fn resolve(&self, mut id: u32) -> Option<u32> {
        for _ in 0..DEEPEST {
            match self.get(id)? {
                Type {
                    kind:
                        BTF_KIND_TYPEDEF | BTF_KIND_VOLATILE | BTF_KIND_CONST | BTF_KIND_RESTRICT
                        | BTF_KIND_TYPE_TAG,
                    size,
                    ..
                } => id = *size,
                _ => return Some(id),
            }
        }
        None
    }

    fn string(&self, offset: u32) -> Option<&str> {
        let tail = self.strings.get(widen(offset)?..)?;
        std::str::from_utf8(tail.split(|&byte| byte == 0).next()?).ok()
    }
}

impl Type {
    fn parse(bytes: &[u8]) -> Option<(Type, &[u8])> {
        let (name, info, size) = (word(bytes, 0)?, word(bytes, 4)?, word(bytes, 8)?);
        let (kind, count) = (u8::try_from(info >> 24 & 0x1f).ok()?, widen(info & 0xffff)?);
        let extra = match kind {
            BTF_KIND_PTR | BTF_KIND_FWD..=BTF_KIND_FUNC | BTF_KIND_FLOAT | BTF_KIND_TYPE_TAG => 0,
            BTF_KIND_INT | BTF_KIND_VAR | BTF_KIND_DECL_TAG => 4,
            BTF_KIND_ARRAY => 12,
            BTF_KIND_ENUM | BTF_KIND_FUNC_PROTO => count.checked_mul(8)?,
            BTF_KIND_STRUCT | BTF_KIND_UNION | BTF_KIND_DATASEC | BTF_KIND_ENUM64 => {
                count.checked_mul(12)?
            }
            _ => return None,
        };
        let (records, rest) = bytes.get(12..)?.split_at_checked(extra)?;
        let words = records.chunks_exact(4).filter_map(|chunk| word(chunk, 0)).collect();
        Some((Type { name, kind, flag: info >> 31 == 1, size, words }, rest))
    }

    fn is_aggregate(&self) -> bool {
        matches!(self.kind, BTF_KIND_STRUCT | BTF_KIND_UNION)
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn widen(value: u32) -> Option<usize> {
    usize::try_from(value).ok()
}
