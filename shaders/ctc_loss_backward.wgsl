// beta[t,s] = rest[t+1,s] + rest[t+1,s+1] + rest[t+1,s+2] where a path may skip a blank, the probability of all ways
// on from state s after t; rest[t,s] = beta[t,s]·p[t,b,class(s)]; and
//   occupancy[b,t,s] = alpha[b,t,s]·beta[t,s]/total[b]
// for t in [begin, end), the last first: the probability of being in state s at t, given the target.
//
//   log_probabilities  [T, B, C]: ln p
//   targets            [B, S]; a label outside the classes takes the nearest
//   input_lengths      [B], of T
//   target_lengths     [B], of S
//   alpha              [B, T, 2S+1], as ctc_loss.wgsl leaves it
//   total              [B], likewise
//   rest               [B, 2, 2S+1]: the last two of rest[t]; in: that of end, where a sequence is longer
//   occupancy          [B, T, 2S+1]; assigned, up to the lengths; 0 where total is
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
}

@group(0) @binding(0) var<storage, read> log_probabilities: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<i32>;
@group(0) @binding(2) var<storage, read> input_lengths: array<i32>;
@group(0) @binding(3) var<storage, read> target_lengths: array<i32>;
@group(0) @binding(4) var<storage, read> alpha: array<Scaled>;
@group(0) @binding(5) var<storage, read> total: array<Scaled>;
@group(0) @binding(6) var<storage, read_write> rest: array<Scaled>;
@group(0) @binding(7) var<storage, read_write> occupancy: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
  let b = min(workgroup.x, params.batch - 1u);
  let input_length = u32(clamp(input_lengths[b], 0, i32(params.time)));
  let states = 2u * u32(clamp(target_lengths[b], 0, i32(params.labels))) + 1u;
  let width = 2u * params.labels + 1u;
  let whole = total[b];
  for (var after = min(params.end, input_length); after > params.begin; after--) {
    let t = after - 1u;
    for (var state = local; state < states; state += 32u) {
      var beta = NOTHING;
      if (after < input_length) {
        let next = (b * 2u + after % 2u) * width + state;
        beta = rest[next];
        if (state + 1u < states) {
          beta = scaled_add(beta, rest[next + 1u]);
        }
        if (state + 2u < states && skips_to(b, state + 2u)) {
          beta = scaled_add(beta, rest[next + 2u]);
        }
      } else if (state + 2u >= states) {
        beta = CERTAINTY;
      }
      let p = scaled_exp(log_probabilities[(t * params.batch + b) * params.classes + class_of(b, state)]);
      rest[(b * 2u + t % 2u) * width + state] = scaled_multiply(beta, p);
      let place = (b * params.time + t) * width + state;
      var given = 0.0;
      if (whole.mantissa > 0.0) {
        given = scaled_ratio(scaled_multiply(alpha[place], beta), whole);
      }
      occupancy[place] = given;
    }
    storageBarrier();
  }
}
