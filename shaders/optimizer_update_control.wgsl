// Decides, before the parameters are touched, whether and how they are: skips an update whose gradient norm is
// not finite, scales by min(1, clip/(norm + 1e-6)), and advances Adam's bias corrections 1 − βᵗ by the recursion
// c ← β·c + (1 − β), which skipped updates leave alone.
//
//   gradient_norm, learning_rate, clip_norm  one number each; a clip_norm of 0 is off
//   counters  [4] updates applied, updates skipped, 1 − β1ᵗ, 1 − β2ᵗ; advanced in place
//   control   [8] apply, gradient scale, learning rate, 1 − β1ᵗ, 1 − β2ᵗ, first update; assigned
//
// Workgroups: 1, of one invocation.

struct Params {
  beta1: f32,
  beta2: f32,
  one_minus_beta1: f32,
  one_minus_beta2: f32,
}

@group(0) @binding(0) var<storage, read> gradient_norm: array<f32>;
@group(0) @binding(1) var<storage, read> learning_rate: array<f32>;
@group(0) @binding(2) var<storage, read> clip_norm: array<f32>;
@group(0) @binding(3) var<storage, read_write> counters: array<f32>;
@group(0) @binding(4) var<storage, read_write> control: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(1)
fn main() {
  let norm = gradient_norm[0];
  // In integer bits: a compiler may assume that NaN and infinity do not exist.
  let finite = (bitcast<u32>(norm) & 0x7f800000u) != 0x7f800000u;
  control[0] = select(0.0, 1.0, finite);
  control[5] = select(0.0, 1.0, counters[0] == 0.0);
  if (finite) {
    counters[0] += 1.0;
    counters[2] = params.beta1 * counters[2] + params.one_minus_beta1;
    counters[3] = params.beta2 * counters[3] + params.one_minus_beta2;
  } else {
    counters[1] += 1.0;
  }
  control[1] = select(1.0, min(1.0, clip_norm[0] / (norm + 1e-6)), clip_norm[0] > 0.0);
  control[2] = learning_rate[0];
  control[3] = counters[2];
  control[4] = counters[3];
}
