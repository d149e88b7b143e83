//! The weights, unpacked once and shared by all streams.

use std::sync::{Arc, OnceLock};

use rustfft::Fft;

use super::super::{fft, simd::LANES};
use super::network::{BINS, Layer, Row};

/// As `extract.py` wrote it.
static FILE: &[u8] = include_bytes!("weights.bin");
/// Values in it.
const COUNT: usize = 243_841;

/// Everything that does not change.
pub(super) struct Weights {
    pub(super) window: [f32; 256],
    pub(super) transform: Arc<dyn Fft<f32>>,
    pub(super) conv1: Layer<2>,
    pub(super) conv2: Layer<4>,
    pub(super) conv3: Layer<8>,
    pub(super) conv4: Layer<8>,
    /// Of the input and the state, one after the other.
    pub(super) gates: Layer<8>,
    pub(super) last: [f32; 128],
    pub(super) last_bias: f32,
}

/// The weights, read once. Not while others wait: a child that is forked meanwhile would wait for ever.
pub(super) fn weights() -> &'static Weights {
    static WEIGHTS: OnceLock<Weights> = OnceLock::new();
    WEIGHTS.get().unwrap_or_else(|| {
        let weights = Weights::read();
        WEIGHTS.get_or_init(|| weights)
    })
}

/// The values of the file, from the first to the last.
struct Reader(std::vec::IntoIter<f32>);

impl Reader {
    /// The exponents of all values are packed; then come three bytes of each: the significand, and the sign on top.
    fn open() -> Self {
        let (packed, rest) = FILE[4..].split_at(u32::from_le_bytes([FILE[0], FILE[1], FILE[2], FILE[3]]) as usize);
        let exponents = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(packed, COUNT);
        let exponents = exponents.expect("the file is a part of the library");
        let values = exponents.iter().zip(rest.as_chunks().0).map(|(exponent, &[low, middle, high])| {
            let significand = u32::from_le_bytes([low, middle, high & 0x7F, 0]);
            f32::from_bits(significand | u32::from(*exponent) << 23 | u32::from(high >> 7) << 31)
        });
        let values: Vec<f32> = values.collect();
        assert_eq!(values.len(), COUNT, "the weights are not those that this network was written for");
        Self(values.into_iter())
    }

    fn take(&mut self, count: usize) -> Vec<f32> {
        self.0.by_ref().take(count).collect()
    }

    /// A convolution of three taps, of which `taps` meet data. Its inputs lie step by step.
    fn convolution<const V: usize>(&mut self, outputs: usize, inputs: usize, taps: std::ops::Range<usize>) -> Layer<V> {
        let (weights, bias) = (self.take(outputs * inputs * 3), self.take(outputs));
        let first = taps.start;
        Layer::new(&bias, taps.len() * inputs, |output, input| {
            weights[(output * inputs + input % inputs) * 3 + first + input / inputs]
        })
    }
}

impl Weights {
    fn read() -> Self {
        let mut reader = Reader::open();
        let mut window = [0.0; 256];
        window.copy_from_slice(&reader.take(256));
        let conv1 = reader.convolution(128, BINS, 0..3);
        let conv2 = reader.convolution(64, 128, 0..3);
        let conv3 = reader.convolution(64, 64, 1..3);
        let conv4 = reader.convolution(128, 64, 1..2);
        let (input, state) = (reader.take(512 * 128), reader.take(512 * 128));
        let mut bias = reader.take(512);
        bias.iter_mut().zip(reader.take(512)).for_each(|(bias, more)| *bias += more);
        let gates = Layer::new(&bias, 256, |output, index| match index {
            0..128 => input[output * 128 + index],
            _ => state[output * 128 + index - 128],
        });
        let mut last = [0.0; 128];
        last.copy_from_slice(&reader.take(128));
        let last_bias = reader.take(1)[0];
        let transform = fft::forward(256);
        Self { window, transform, conv1, conv2, conv3, conv4, gates, last, last_bias }
    }
}

impl<const V: usize> Layer<V> {
    /// `weight(output, input)` for every output of `bias` and `inputs` inputs.
    fn new(bias: &[f32], inputs: usize, weight: impl Fn(usize, usize) -> f32) -> Self {
        let groups = bias.len() / (V * LANES);
        let mut weights = Vec::with_capacity(groups * inputs);
        for first in (0..groups).map(|group| group * V * LANES) {
            for input in 0..inputs {
                weights.push(Row(std::array::from_fn(|vector| {
                    std::array::from_fn(|lane| weight(first + vector * LANES + lane, input))
                })));
            }
        }
        Self { weights, bias: bias.to_vec(), inputs }
    }
}
