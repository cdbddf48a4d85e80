//! Exports as Apache Parquet.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};
use serde_json::Value;

use crate::row::{Column, Kind};

/// Rows of a row group: they are held until it is written.
const GROUP_ROWS: usize = 10_000;

/// Bytes of texts in a row group, roughly: large values make smaller groups.
const GROUP_BYTES: usize = 8 << 20;

pub(super) struct ParquetForm<W: Write + Send> {
    columns: Vec<Column>,
    held: Vec<Vec<Value>>,
    held_bytes: usize,
    out: SerializedFileWriter<W>,
}

impl<W: Write + Send> ParquetForm<W> {
    pub(super) fn begin(columns: Vec<Column>, out: W) -> io::Result<Self> {
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let schema = schema(&columns).map_err(failed)?;
        let out = SerializedFileWriter::new(out, schema, Arc::new(properties)).map_err(failed)?;
        Ok(Self { columns, held: Vec::new(), held_bytes: 0, out })
    }

    pub(super) fn write(&mut self, rows: Vec<Vec<Value>>) -> io::Result<()> {
        for row in rows {
            self.held_bytes += row.iter().map(size).sum::<usize>();
            self.held.push(row);
            if self.held.len() >= GROUP_ROWS || self.held_bytes >= GROUP_BYTES {
                self.write_group()?;
            }
        }
        Ok(())
    }

    pub(super) fn end(mut self) -> io::Result<W> {
        if !self.held.is_empty() {
            self.write_group()?;
        }
        self.out.into_inner().map_err(failed)
    }

    fn write_group(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.held_bytes = 0;
        group(&mut self.out, &self.columns, &held).map_err(failed)?;
        self.out.flush()
    }
}

/// Bytes of a value in memory, roughly.
fn size(cell: &Value) -> usize {
    match cell {
        Value::String(text) => text.len(),
        Value::Array(elements) => elements.iter().map(size).sum(),
        Value::Object(members) => members.iter().map(|(name, value)| name.len() + size(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
    }
}

fn failed(error: ParquetError) -> io::Error {
    io::Error::other(error)
}

fn schema(columns: &[Column]) -> Result<TypePtr, ParquetError> {
    let fields = columns.iter().map(|column| field(column).map(Arc::new)).collect::<Result<_, _>>()?;
    Ok(Arc::new(Type::group_type_builder("answer").with_fields(fields).build()?))
}

fn field(column: &Column) -> Result<Type, ParquetError> {
    let name = column.name();
    let (physical, logical) = match column.kind {
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Json => (Physical::BYTE_ARRAY, Some(LogicalType::Json)),
        Kind::Instant => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
        Kind::Integer => (Physical::INT64, None),
        Kind::Flag => (Physical::BOOLEAN, None),
        Kind::Texts => return texts(&name),
    };
    Type::primitive_type_builder(&name, physical)
        .with_logical_type(logical)
        .with_repetition(Repetition::OPTIONAL)
        .build()
}

/// A list in the three levels that the format prescribes.
fn texts(name: &str) -> Result<Type, ParquetError> {
    let element = Type::primitive_type_builder("element", Physical::BYTE_ARRAY)
        .with_logical_type(Some(LogicalType::String))
        .with_repetition(Repetition::REQUIRED)
        .build()?;
    let list = Type::group_type_builder("list")
        .with_repetition(Repetition::REPEATED)
        .with_fields(vec![Arc::new(element)])
        .build()?;
    Type::group_type_builder(name)
        .with_logical_type(Some(LogicalType::List))
        .with_repetition(Repetition::OPTIONAL)
        .with_fields(vec![Arc::new(list)])
        .build()
}

fn group<W: Write + Send>(
    out: &mut SerializedFileWriter<W>,
    columns: &[Column],
    rows: &[Vec<Value>],
) -> Result<(), ParquetError> {
    let mut group = out.next_row_group()?;
    for (place, column) in columns.iter().enumerate() {
        let Some(mut writer) = group.next_column()? else { break };
        let cells = rows.iter().map(|row| row.get(place).unwrap_or(&Value::Null));
        match column.kind {
            Kind::Text => plain::<ByteArrayType>(&mut writer, cells, |cell| cell.as_str().map(bytes))?,
            Kind::Json => plain::<ByteArrayType>(&mut writer, cells, |cell| {
                (!cell.is_null()).then(|| bytes(&cell.to_string()))
            })?,
            Kind::Instant | Kind::Integer => plain::<Int64Type>(&mut writer, cells, Value::as_i64)?,
            Kind::Flag => plain::<BoolType>(&mut writer, cells, Value::as_bool)?,
            Kind::Texts => lists(&mut writer, cells)?,
        }
        writer.close()?;
    }
    group.close()?;
    Ok(())
}

fn bytes(text: &str) -> ByteArray {
    ByteArray::from(text)
}

/// A column of values that may be absent.
fn plain<'c, T: DataType>(
    writer: &mut SerializedColumnWriter<'_>,
    cells: impl Iterator<Item = &'c Value>,
    value: impl Fn(&Value) -> Option<T::T>,
) -> Result<(), ParquetError> {
    let (mut values, mut defined) = (Vec::new(), Vec::new());
    for cell in cells {
        let value = value(cell);
        defined.push(i16::from(value.is_some()));
        values.extend(value);
    }
    writer.typed::<T>().write_batch(&values, Some(&defined), None)?;
    Ok(())
}

/// A column of lists of texts. Their levels: 0 there is no list, 1 it is empty, 2 an element; an element that is not the
/// first one of its list repeats.
fn lists<'c>(
    writer: &mut SerializedColumnWriter<'_>,
    cells: impl Iterator<Item = &'c Value>,
) -> Result<(), ParquetError> {
    let (mut values, mut defined, mut repeats) = (Vec::new(), Vec::new(), Vec::new());
    for cell in cells {
        let elements = cell.as_array().map(Vec::as_slice);
        let texts: Vec<&str> = elements.unwrap_or_default().iter().filter_map(Value::as_str).collect();
        if texts.is_empty() {
            defined.push(i16::from(elements.is_some()));
            repeats.push(0);
        }
        for (place, text) in texts.into_iter().enumerate() {
            values.push(bytes(text));
            defined.push(2);
            repeats.push(i16::from(place > 0));
        }
    }
    writer.typed::<ByteArrayType>().write_batch(&values, Some(&defined), Some(&repeats))?;
    Ok(())
}
