//! Record batches v2: headers, compression, control records, validation in one pass.
