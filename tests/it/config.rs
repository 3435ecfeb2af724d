//! Settings, through the binary: layers, refusals, masking, exit codes.
