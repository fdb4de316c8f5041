// alpha[b,t,s] = (alpha[b,t−1,s] + alpha[b,t−1,s−1] + alpha[b,t−1,s−2] where a path may skip a blank)·p[t,b,class(s)]
// for t in [begin, end): the probability of all paths that are in state s at t. The states of a target are its
// labels with blanks around and between them, so state s has class targets[b,(s−1)/2], or blank where s is even.
// At the last t the loss is −ln(alpha of the last state + alpha of the one before).
//
//   log_probabilities  [T, B, C]: ln p
//   targets            [B, S]; a label outside the classes takes the nearest
//   input_lengths      [B], of T
//   target_lengths     [B], of S
//   alpha              [B, T, 2S+1], or [B, 2, 2S+1] unless keep; assigned, up to the lengths
//   total              [B]: e^−loss; assigned
//   loss               [B]; assigned, impossible_loss where no path has the target; over its length if per_label
//
// A workgroup computes one sequence: its 32 invocations, which most GPUs run in lockstep, share the states.
// Workgroups: B.

struct Params {
  time: u32,
  batch: u32,
  classes: u32,
  labels: u32,
  blank: u32,
  begin: u32,
  end: u32,
  keep: u32,
  per_label: u32,
  impossible_loss: f32,
}

@group(0) @binding(0) var<storage, read> log_probabilities: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<i32>;
@group(0) @binding(2) var<storage, read> input_lengths: array<i32>;
@group(0) @binding(3) var<storage, read> target_lengths: array<i32>;
@group(0) @binding(4) var<storage, read_write> alpha: array<Scaled>;
@group(0) @binding(5) var<storage, read_write> total: array<Scaled>;
@group(0) @binding(6) var<storage, read_write> loss: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

fn row_of(b: u32, t: u32) -> u32 {
  let row = select(b * 2u + t % 2u, b * params.time + t, params.keep != 0u);
  return row * (2u * params.labels + 1u);
}

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
  let b = min(workgroup.x, params.batch - 1u);
  let input_length = u32(clamp(input_lengths[b], 0, i32(params.time)));
  let target_length = u32(clamp(target_lengths[b], 0, i32(params.labels)));
  let states = 2u * target_length + 1u;
  for (var t = params.begin; t < min(params.end, input_length); t++) {
    for (var state = local; state < states; state += 32u) {
      var reached = NOTHING;
      if (t > 0u) {
        let previous = row_of(b, t - 1u) + state;
        reached = alpha[previous];
        if (state > 0u) {
          reached = scaled_add(reached, alpha[previous - 1u]);
        }
        if (skips_to(b, state)) {
          reached = scaled_add(reached, alpha[previous - 2u]);
        }
      } else if (state < 2u) {
        reached = CERTAINTY;
      }
      let p = scaled_exp(log_probabilities[(t * params.batch + b) * params.classes + class_of(b, state)]);
      alpha[row_of(b, t) + state] = scaled_multiply(reached, p);
    }
    storageBarrier();
  }
  let first_part = params.begin == 0u;
  let ends_here = input_length <= params.end && (input_length > params.begin || first_part);
  if (local == 0u && ends_here) {
    var sum = NOTHING;
    if (input_length > 0u) {
      let last = row_of(b, input_length - 1u) + states - 1u;
      sum = alpha[last];
      if (states > 1u) {
        sum = scaled_add(sum, alpha[last - 1u]);
      }
    } else if (target_length == 0u) {
      sum = CERTAINTY;
    }
    total[b] = sum;
    var result = params.impossible_loss;
    if (sum.mantissa > 0.0) {
      result = -scaled_log(sum);
    }
    if (params.per_label != 0u) {
      result /= f32(max(target_length, 1u));
    }
    loss[b] = result;
  }
}
