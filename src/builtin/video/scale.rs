//! `VideoScale`: frames of another size.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::{PixelFormat, VideoFormat, with_room, zeros};
use crate::node::prelude::*;

/// Parameters of `VideoScale`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Width of the output in pixels.
    #[schemars(range(min = 1, max = 32768))]
    width: u32,
    /// Height of the output in pixels.
    #[schemars(range(min = 1, max = 32768))]
    height: u32,
    /// The filter. All but `nearest` are antialiased when they scale down.
    #[serde(default)]
    filter: Filter,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Filter {
    /// The nearest pixel: hard edges.
    Nearest,
    /// The mean over the area.
    Box,
    /// Linear, antialiased: the same result as Pillow's `BILINEAR`.
    #[default]
    Bilinear,
    /// Lanczos of three lobes: the sharpest.
    Lanczos3,
}

#[derive(Debug)]
pub(super) struct VideoScale;

fn scaled(params: &Params, input: &Format) -> Format {
    let pixel_format = match input {
        Format::Video { pixel_format, .. } => *pixel_format,
        _ => None,
    };
    Format::Video { width: Some(params.width), height: Some(params.height), pixel_format }
}

impl TypedNode for VideoScale {
    type Params = Params;

    fn info(&self) -> NodeInfo {
        NodeInfo {
            name: "VideoScale",
            aliases: &["VideoScaleNode", "VideoResize"],
            category: "video",
            description: "Scales video frames to a size, plane by plane, antialiased.",
            inputs: vec![PortInfo::input(Kind::Video)],
            outputs: vec![PortInfo::out(Kind::Video)],
            params: serde_json::Value::Null,
            cost_ns_per_frame: 400_000.0,
            memory: Memory::Makes,
        }
    }

    fn negotiate(&self, params: &Params, inputs: &[Format]) -> Result<Vec<Format>> {
        Ok(vec![scaled(params, inputs.first().unwrap_or(&Format::VIDEO))])
    }

    fn build(&self, params: Params) -> Result<Box<dyn Processor>> {
        let algorithm = match params.filter {
            Filter::Nearest => ResizeAlg::Nearest,
            Filter::Box => ResizeAlg::Convolution(FilterType::Box),
            Filter::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
            Filter::Lanczos3 => ResizeAlg::Convolution(FilterType::Lanczos3),
        };
        Ok(Box::new(Scaler { params, options: ResizeOptions::new().resize_alg(algorithm), resizer: Resizer::new() }))
    }
}

struct Scaler {
    params: Params,
    options: ResizeOptions,
    resizer: Resizer,
}

/// The pixel type of each plane, and how many of its bytes make one pixel.
fn plane_types(format: PixelFormat) -> &'static [(PixelType, usize)] {
    match format {
        PixelFormat::Gray8 => &[(PixelType::U8, 1)],
        PixelFormat::Rgb24 => &[(PixelType::U8x3, 3)],
        PixelFormat::Rgba => &[(PixelType::U8x4, 4)],
        PixelFormat::Nv12 => &[(PixelType::U8, 1), (PixelType::U8x2, 2)],
        PixelFormat::I420 => &[(PixelType::U8, 1), (PixelType::U8, 1), (PixelType::U8, 1)],
    }
}

impl Processor for Scaler {
    fn open(&mut self, inputs: &[Format], _: Opening) -> Result<Opened> {
        Ok(Opened::new(vec![scaled(&self.params, inputs.first().unwrap_or(&Format::VIDEO))], Latency::ZERO))
    }

    fn process(&mut self, _: PortId, packet: Packet, out: &mut Out) -> Result<()> {
        let RuntimeData::Video(frame) = &packet.data else { return Ok(()) };
        let pixel_format = frame.format().pixel_format;
        let format = VideoFormat { width: self.params.width, height: self.params.height, pixel_format };
        // An empty frame of the right size tells where its planes lie.
        let empty = VideoFrame::new(zeros(VideoFrame::packed_len(format)?)?, format)?;
        let targets = empty.planes();
        let mut bytes = with_room(empty.bytes().len())?;
        let fault = |error: String| Error::new(ErrorKind::Node, format!("scaling failed: {error}"));
        // Alpha is scaled like a colour: premultiply before, if that matters.
        let options = self.options.use_alpha(false);
        for ((source, target), (pixel, size)) in frame.planes().iter().zip(targets).zip(plane_types(pixel_format)) {
            let side = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
            let rows = &frame.bytes()[source.offset..source.offset + source.stride * source.rows];
            let from = ImageRef::new(side(source.row_bytes / size), side(source.rows), rows, *pixel)
                .map_err(|error| fault(error.to_string()))?;
            let (width, height) = (side(target.row_bytes / size), side(target.rows));
            let memory = zeros((width as usize).saturating_mul(height as usize).saturating_mul(*size))?;
            let mut to = Image::from_vec_u8(width, height, memory, *pixel).map_err(|error| fault(error.to_string()))?;
            self.resizer.resize(&from, &mut to, Some(&options)).map_err(|error| fault(error.to_string()))?;
            bytes.extend_from_slice(to.buffer());
        }
        out.emit(PortId::FIRST, packet.with(VideoFrame::new(bytes, format)?, packet.pts));
        Ok(())
    }

    fn reset(&mut self) {}
}
