// loss[n] = log Σ_c exp(x[n,c]) − x[n, targets[n]], and when write_gradient x becomes
// gradient_scale·(softmax(x) − onehot(targets)), the gradient of gradient_scale·Σ loss
//
//   x        [N, C] in: logits; out when write_gradient: their gradient
//   targets  [N]; one outside the classes takes the nearest
//   loss     [N]; assigned
//
// lanes invocations (1 or 64) compute one row. Workgroups: ⌈N·lanes/64⌉, folded into two dimensions.

struct Params {
  rows: u32,
  classes: u32,
  lanes: u32,
  write_gradient: u32,
  gradient_scale: f32,
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<i32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let lanes = params.lanes;
  let lane = local % lanes;
  let row = (workgroup.y * workgroups.x + workgroup.x) * (64u / lanes) + local / lanes;
  let inside = row < params.rows;
  let start = min(row, params.rows - 1u) * params.classes;
  var highest = -3.4e38;
  for (var i = lane; i < params.classes; i += lanes) {
    highest = max(highest, x[start + i]);
  }
  highest = row_max(highest, local, lanes);
  var total = 0.0;
  for (var i = lane; i < params.classes; i += lanes) {
    total += exp(x[start + i] - highest);
  }
  total = row_sum(total, local, lanes);
  let label = u32(clamp(targets[min(row, params.rows - 1u)], 0, i32(params.classes) - 1));
  if (inside && lane == 0u) {
    loss[row] = log(total) + highest - x[start + label];
  }
  // The label's logit has been read before its place is written over.
  storageBarrier();
  if (!inside || params.write_gradient == 0u) {
    return;
  }
  for (var i = lane; i < params.classes; i += lanes) {
    let probability = exp(x[start + i] - highest) / total;
    x[start + i] = params.gradient_scale * (probability - select(0.0, 1.0, i == label));
  }
}
