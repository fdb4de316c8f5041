// d_log_probabilities[t,b,c] = −d_loss[b]·Σ_s occupancy[b,t,s] over the states s of class c, 0 past the input's length
//
//   occupancy            [B, T, 2S+1], as ctc_loss_backward.wgsl leaves it
//   occurrences          [B, C + S], as ctc_loss_occurrences.wgsl leaves it
//   input_lengths        [B], of T
//   target_lengths       [B], of S
//   total                [B]; where it is 0 the gradient is impossible_gradient
//   d_loss               [B]; over the target's length if per_label
//   d_log_probabilities  [T, B, C]; assigned
//
// One invocation computes one element. Workgroups: ⌈T·B·C/64⌉, folded into two dimensions.

struct Params {
  time: u32,
  batch: u32,
  classes: u32,
  labels: u32,
  blank: u32,
  per_label: u32,
  impossible_gradient: f32,
}

@group(0) @binding(0) var<storage, read> occupancy: array<f32>;
@group(0) @binding(1) var<storage, read> occurrences: array<u32>;
@group(0) @binding(2) var<storage, read> input_lengths: array<i32>;
@group(0) @binding(3) var<storage, read> target_lengths: array<i32>;
@group(0) @binding(4) var<storage, read> total: array<Scaled>;
@group(0) @binding(5) var<storage, read> d_loss: array<f32>;
@group(0) @binding(6) var<storage, read_write> d_log_probabilities: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let index = linear_index(workgroup, workgroups, local, 64u);
  if (index >= params.time * params.batch * params.classes) {
    return;
  }
  let c = index % params.classes;
  let b = index / params.classes % params.batch;
  let t = index / params.classes / params.batch;
  if (t >= u32(max(input_lengths[b], 0))) {
    d_log_probabilities[index] = 0.0;
    return;
  }
  if (total[b].mantissa <= 0.0) {
    d_log_probabilities[index] = params.impossible_gradient;
    return;
  }
  let target_length = u32(clamp(target_lengths[b], 0, i32(params.labels)));
  let states = (b * params.time + t) * (2u * params.labels + 1u);
  var sum = 0.0;
  if (c == params.blank) {
    for (var place = 0u; place <= target_length; place++) {
      sum += occupancy[states + 2u * place];
    }
  } else {
    let chain = b * (params.classes + params.labels);
    var place = occurrences[chain + c];
    while (place > 0u) {
      sum += occupancy[states + 2u * place - 1u];
      place = occurrences[chain + params.classes + place - 1u];
    }
  }
  let shared_by = select(1u, max(target_length, 1u), params.per_label != 0u);
  d_log_probabilities[index] = -d_loss[b] / f32(shared_by) * sum;
}
