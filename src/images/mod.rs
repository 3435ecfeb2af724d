//! Pictures: decoding within limits, renditions, placeholders.
