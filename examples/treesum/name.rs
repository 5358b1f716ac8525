//! File names as `sha256sum` writes them: escaped in lines for a program to read, quoted in messages for a person.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// Whether a line with this name starts with a backslash and has the name escaped.
pub(crate) fn needs_escape(name: &[u8]) -> bool {
    name.iter().any(|byte| matches!(byte, b'\\' | b'\n' | b'\r'))
}

pub(crate) fn push_escaped(line: &mut Vec<u8>, name: &[u8]) {
    for &byte in name {
        match byte {
            b'\\' => line.extend_from_slice(b"\\\\"),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            _ => line.push(byte),
        }
    }
}

/// The name that [`push_escaped`] wrote, or nothing if it cannot have written this.
pub(crate) fn unescape(escaped: &[u8]) -> Option<PathBuf> {
    let mut name = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.iter();
    while let Some(&byte) = bytes.next() {
        name.push(match byte {
            b'\\' => match bytes.next()? {
                b'\\' => b'\\',
                b'n' => b'\n',
                b'r' => b'\r',
                _ => return None,
            },
            0 => return None,
            _ => byte,
        });
    }
    Some(PathBuf::from(OsString::from_vec(name)))
}

/// The name as one shell word that can be copied from a message; bare where a shell would take it so.
pub(crate) fn quote(name: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(name).ok().filter(|text| !text.contains(char::is_control));
    match text {
        Some(text) if is_bare(text) => name.to_vec(),
        Some(text) if is_plain_between_double_quotes(text) => format!("\"{text}\"").into_bytes(),
        _ => quote_each(name).into_bytes(),
    }
}

fn is_bare(text: &str) -> bool {
    !matches!(text, "" | "{" | "}")
        && !text.starts_with(['#', '~'])
        && !text.contains(|character| " !\"$&'()*:;<=>?[\\^`|".contains(character))
}

/// Double quotes are for the apostrophe alone: everything else must mean itself between them in every shell.
fn is_plain_between_double_quotes(text: &str) -> bool {
    let text_after_first = text.strip_prefix(['#', '~']).unwrap_or(text);
    text.contains('\'')
        && !text_after_first.contains(|character| "!\"#$&()*;<=>?[\\^`{|}~".contains(character))
}

/// Single quotes around what a terminal shows, `$'\n'` around what it does not.
fn quote_each(name: &[u8]) -> String {
    let mut quoted = String::from("'");
    let mut in_escapes = false;
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() {
                push_escapes(&mut quoted, &mut in_escapes, character.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            match character {
                '\'' => quoted.push_str(r"'\''"),
                _ if in_escapes => quoted.extend(['\'', '\'', character]),
                _ => quoted.push(character),
            }
            in_escapes = false;
        }
        push_escapes(&mut quoted, &mut in_escapes, chunk.invalid());
    }
    quoted.push('\'');
    quoted
}

fn push_escapes(quoted: &mut String, in_escapes: &mut bool, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    if !*in_escapes {
        quoted.push_str("'$'");
    }
    *in_escapes = true;
    for byte in bytes {
        match byte {
            0x07 => quoted.push_str(r"\a"),
            0x08 => quoted.push_str(r"\b"),
            b'\t' => quoted.push_str(r"\t"),
            b'\n' => quoted.push_str(r"\n"),
            0x0b => quoted.push_str(r"\v"),
            0x0c => quoted.push_str(r"\f"),
            b'\r' => quoted.push_str(r"\r"),
            _ => {
                let octal = |shift: u32| char::from(b'0' + ((byte >> shift) & 7));
                quoted.extend(['\\', octal(6), octal(3), octal(0)]);
            }
        }
    }
}
