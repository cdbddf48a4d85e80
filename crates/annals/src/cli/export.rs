//! Answers as files.

use std::path::PathBuf;

use annals_questions::export::ExportFormat;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

/// Where an answer goes as a file.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Write all rows to this file, whose name says how: .csv, .json, .ndjson, .parquet; the access log has a row about it
    #[arg(long, value_name = "FILE")]
    pub export: Option<PathBuf>,
    /// Write the file in this form, whatever its name is
    #[arg(long, value_name = "FORMAT", requires = "export", value_parser = format())]
    pub export_format: Option<ExportFormat>,
}

fn format() -> impl TypedValueParser<Value = ExportFormat> {
    // Only words of the list come here.
    PossibleValuesParser::new(ExportFormat::ALL.map(ExportFormat::as_str))
        .map(|word| ExportFormat::of_name(&word).unwrap_or(ExportFormat::Csv))
}
