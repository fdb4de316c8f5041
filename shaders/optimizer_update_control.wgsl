// Decides, before the parameters are touched, whether and how they are: skips an update whose gradient norm is
// not finite, scales by min(1, clip/(norm + 1e-6)), and advances the bias corrections 1 − βᵗ by the recursion
// c ← β·c + (1 − β), which skipped updates leave alone. NAdam's β1 is another at each update:
// μ(t) = β1·(1 − ½·0.96^(t·ψ)).
//
//   gradient_norm, learning_rate, clip_norm, clip_value  one number each; a clip of 0 is off
//   counters  [4] updates applied t, updates skipped, 1 − β1ᵗ, 1 − β2ᵗ; advanced in place
//   control   [10] apply, gradient scale, learning rate, 1 − β1ᵗ, 1 − β2ᵗ, first update, t, bound of the gradient,
//             μ(t), μ(t+1); assigned
//
// Workgroups: 1, of one invocation.

struct Params {
  beta1: f32,
  beta2: f32,
  one_minus_beta1: f32,
  one_minus_beta2: f32,
  learning_rate_factor: f32,
  nadam: u32,
  momentum_decay: f32,
}

@group(0) @binding(0) var<storage, read> gradient_norm: array<f32>;
@group(0) @binding(1) var<storage, read> learning_rate: array<f32>;
@group(0) @binding(2) var<storage, read> clip_norm: array<f32>;
@group(0) @binding(3) var<storage, read> clip_value: array<f32>;
@group(0) @binding(4) var<storage, read_write> counters: array<f32>;
@group(0) @binding(5) var<storage, read_write> control: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

const LOG2_OF_0_96 = -0.058893689053568565;
// A little below what float32 holds.
const UNBOUNDED = 3.4e38;

fn nadam_momentum(t: f32) -> f32 {
  return params.beta1 * (1.0 - 0.5 * exp2(t * params.momentum_decay * LOG2_OF_0_96));
}

@compute @workgroup_size(1)
fn main() {
  let norm = gradient_norm[0];
  // In integer bits: a compiler may assume that NaN and infinity do not exist.
  let finite = (bitcast<u32>(norm) & 0x7f800000u) != 0x7f800000u;
  control[0] = select(0.0, 1.0, finite);
  control[5] = select(0.0, 1.0, counters[0] == 0.0);
  if (finite) {
    let t = counters[0] + 1.0;
    var beta1 = params.beta1;
    var one_minus_beta1 = params.one_minus_beta1;
    if (params.nadam != 0u) {
      beta1 = nadam_momentum(t);
      one_minus_beta1 = 1.0 - beta1;
    }
    counters[0] = t;
    counters[2] = beta1 * counters[2] + one_minus_beta1;
    counters[3] = params.beta2 * counters[3] + params.one_minus_beta2;
  } else {
    counters[1] += 1.0;
  }
  control[1] = select(1.0, min(1.0, clip_norm[0] / (norm + 1e-6)), clip_norm[0] > 0.0);
  control[2] = learning_rate[0] * params.learning_rate_factor;
  control[3] = counters[2];
  control[4] = counters[3];
  control[6] = counters[0];
  control[7] = select(UNBOUNDED, clip_value[0], clip_value[0] > 0.0);
  control[8] = nadam_momentum(counters[0]);
  control[9] = nadam_momentum(counters[0] + 1.0);
}
