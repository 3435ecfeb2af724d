//! The parts of an encoded picture, read without any of the libraries under test.

/// The names of everything in a JPEG or WebP file besides what is needed to decode its pixels.
pub fn metadata(file: &[u8]) -> Vec<String> {
    match file {
        [0xff, 0xd8, ..] => jpeg(file),
        [b'R', b'I', b'F', b'F', ..] => webp(file),
        _ => panic!("neither JPEG nor WebP"),
    }
}

/// Markers other than frames, tables and scans (T.81, table B.1). JFIF's own segment is allowed where it holds no thumbnail.
fn jpeg(file: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = 2;
    loop {
        assert_eq!(file[at], 0xff, "a marker at {at}");
        let marker = file[at + 1];
        if marker == 0xd9 {
            assert_eq!(at + 2, file.len(), "nothing behind the end");
            return found;
        }
        let length = usize::from(u16::from_be_bytes([file[at + 2], file[at + 3]]));
        let body = &file[at + 4..at + 2 + length];
        match marker {
            0xc0..=0xcf | 0xda | 0xdb | 0xdd => {}
            0xe0 if body.starts_with(b"JFIF\0") && body.len() == 14 && body[12..] == [0, 0] => {}
            _ => found.push(format!("marker {marker:02x}: {}", String::from_utf8_lossy(&body[..body.len().min(12)]))),
        }
        at += 2 + length;
        if marker == 0xda {
            // Entropy-coded data: to the next marker that is neither a stuffed byte nor a restart.
            while file[at] != 0xff || matches!(file[at + 1], 0 | 0xd0..=0xd7) {
                at += 1;
            }
        }
    }
}

/// Chunks other than pixels and alpha (RFC 9649, section 2.7), and the flags that announce some.
fn webp(file: &[u8]) -> Vec<String> {
    let size = u32::from_le_bytes(file[4..8].try_into().unwrap()) as usize;
    assert_eq!(size + 8, file.len(), "nothing behind the end");
    let mut found = Vec::new();
    let mut rest = &file[12..];
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[4..8].try_into().unwrap()) as usize;
        match &rest[..4] {
            // Of the flags only alpha may be set.
            b"VP8X" if rest[8] & !0x10 == 0 => {}
            b"VP8 " | b"VP8L" | b"ALPH" => {}
            name => found.push(String::from_utf8_lossy(name).into_owned()),
        }
        rest = &rest[8 + length.next_multiple_of(2)..];
    }
    found
}
