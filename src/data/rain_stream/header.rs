//! The classic NetCDF header with 64-bit offsets (CDF-2), as the format's grammar has it.

/// An attribute.
pub(super) enum Attribute {
    Text(&'static str, String),
    Int(&'static str, i32),
    Float(&'static str, f32),
}

/// A variable; dimensions by index, 0 the record dimension.
pub(super) struct Variable {
    pub name: &'static str,
    pub dimensions: Vec<u32>,
    pub attributes: Vec<Attribute>,
    /// 8 bytes a value (double) or 4 (float) or 4 (int).
    pub kind: Kind,
    /// Bytes of the variable, or of one record of it.
    pub bytes: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Int = 4,
    Float = 5,
    Double = 6,
}

/// Header with everything but the values.
pub(super) struct Header {
    /// Name and length; the record dimension first, with length 0.
    pub dimensions: Vec<(&'static str, u32)>,
    pub attributes: Vec<Attribute>,
    pub variables: Vec<Variable>,
}

/// An encoded header, and where the values stand.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Encoded {
    pub bytes: Vec<u8>,
    /// Offset of the first record.
    pub records_at: u64,
    /// Bytes of a record of all variables.
    pub record: u64,
}

const DIMENSION: u32 = 0x0A;
const VARIABLE: u32 = 0x0B;
const ATTRIBUTE: u32 = 0x0C;

impl Header {
    /// Encodes the header for a file without records.
    pub fn encode(&self) -> Encoded {
        // The length does not depend on the offsets: the first pass tells it.
        let length = self.pass(&vec![0; self.variables.len()]).len() as u64;
        let is_record = |v: &Variable| v.dimensions.first() == Some(&0);
        let mut at = length;
        let mut begins = vec![0; self.variables.len()];
        for (v, begin) in self.variables.iter().zip(&mut begins) {
            if !is_record(v) {
                *begin = at;
                at += v.bytes;
            }
        }
        let records_at = at;
        for (v, begin) in self.variables.iter().zip(&mut begins) {
            if is_record(v) {
                *begin = at;
                at += v.bytes;
            }
        }
        Encoded {
            bytes: self.pass(&begins),
            records_at,
            record: at - records_at,
        }
    }

    fn pass(&self, begins: &[u64]) -> Vec<u8> {
        let mut out = b"CDF\x02".to_vec();
        word(&mut out, 0);
        word(&mut out, DIMENSION);
        word(&mut out, self.dimensions.len() as u32);
        for (name, length) in &self.dimensions {
            text(&mut out, name);
            word(&mut out, *length);
        }
        attributes(&mut out, &self.attributes);
        word(&mut out, VARIABLE);
        word(&mut out, self.variables.len() as u32);
        for (v, begin) in self.variables.iter().zip(begins) {
            text(&mut out, v.name);
            word(&mut out, v.dimensions.len() as u32);
            v.dimensions.iter().for_each(|&d| word(&mut out, d));
            attributes(&mut out, &v.attributes);
            word(&mut out, v.kind as u32);
            word(&mut out, u32::try_from(v.bytes).unwrap_or(u32::MAX));
            out.extend(begin.to_be_bytes());
        }
        out
    }
}

fn word(out: &mut Vec<u8>, value: u32) {
    out.extend(value.to_be_bytes());
}

/// Length and characters, filled up to 4 bytes.
fn text(out: &mut Vec<u8>, value: &str) {
    word(out, value.len() as u32);
    out.extend(value.as_bytes());
    out.resize(out.len().next_multiple_of(4), 0);
}

fn attributes(out: &mut Vec<u8>, list: &[Attribute]) {
    if list.is_empty() {
        out.extend([0; 8]);
        return;
    }
    word(out, ATTRIBUTE);
    word(out, list.len() as u32);
    for a in list {
        match a {
            Attribute::Text(name, value) => {
                text(out, name);
                word(out, 2);
                text(out, value);
            }
            Attribute::Int(name, value) => {
                text(out, name);
                word(out, Kind::Int as u32);
                word(out, 1);
                out.extend(value.to_be_bytes());
            }
            Attribute::Float(name, value) => {
                text(out, name);
                word(out, Kind::Float as u32);
                word(out, 1);
                out.extend(value.to_be_bytes());
            }
        }
    }
}
