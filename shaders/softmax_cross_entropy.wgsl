// loss[n] = −k·((1−s)·w[y]·log p[y] + s/C·Σ_c w[c]·log p[c]), p = softmax(x[n]), y = targets[n], s = label_smoothing,
// and when write_gradient x becomes the gradient of gradient_scale·Σ loss,
//   gradient_scale·k·(p[c]·((1−s)·w[y] + s/C·Σ w) − (1−s)·w[y]·(c = y) − s/C·w[c])
//
//   x        [N, C] in: logits, or log p when normalized; out when write_gradient: their gradient
//   targets  [N]; one outside the classes takes the nearest
//   weight   [C]: w; ones unless has_weight
//   mask     [N]; ones unless has_mask
//   divisor  [1]; one unless has_divisor
//   loss     [N]; assigned
//
// k is mask[n]/divisor, and 0 where has_ignored and y is ignored, or where divisor is 0. When normalized p is
// exp(x), and its terms, which stand for the softmax's own gradient, are left out.
//
// lanes invocations (1 or 64) compute one row. Workgroups: ⌈N·lanes/64⌉, folded into two dimensions.

struct Params {
  rows: u32,
  classes: u32,
  lanes: u32,
  normalized: u32,
  write_gradient: u32,
  has_weight: u32,
  has_mask: u32,
  has_divisor: u32,
  has_ignored: u32,
  ignored: u32, // the bits of an i32
  label_smoothing: f32,
  gradient_scale: f32,
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<i32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> mask: array<f32>;
@group(0) @binding(4) var<storage, read> divisor: array<f32>;
@group(0) @binding(5) var<storage, read_write> loss: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

fn weight_of(c: u32) -> f32 {
  if (params.has_weight == 0u) {
    return 1.0;
  }
  return weight[c];
}

fn factor_of(row: u32, chosen: i32) -> f32 {
  if (params.has_ignored != 0u && chosen == bitcast<i32>(params.ignored)) {
    return 0.0;
  }
  var factor = 1.0;
  if (params.has_mask != 0u) {
    factor = mask[row];
  }
  if (params.has_divisor != 0u) {
    let by = divisor[0];
    factor = select(0.0, factor / by, by != 0.0);
  }
  return factor;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let lanes = params.lanes;
  let classes = params.classes;
  let lane = local % lanes;
  let row = (workgroup.y * workgroups.x + workgroup.x) * (64u / lanes) + local / lanes;
  let inside = row < params.rows;
  let source = min(row, params.rows - 1u);
  let start = source * classes;
  var highest = 0.0;
  var total = 1.0;
  if (params.normalized == 0u) {
    highest = -3.4e38;
    for (var i = lane; i < classes; i += lanes) {
      highest = max(highest, x[start + i]);
    }
    highest = row_max(highest, local, lanes);
    total = 0.0;
    for (var i = lane; i < classes; i += lanes) {
      total += exp(x[start + i] - highest);
    }
    total = row_sum(total, local, lanes);
  }
  let log_total = log(total);
  let chosen = targets[source];
  let label = u32(clamp(chosen, 0, i32(classes) - 1));
  let factor = factor_of(source, chosen);
  let of_label = (1.0 - params.label_smoothing) * weight_of(label);
  var row_loss = of_label * (log_total + highest - x[start + label]);
  let spread = params.label_smoothing / f32(classes);
  var weights = 0.0;
  if (params.label_smoothing > 0.0) {
    var smoothed = 0.0;
    for (var i = lane; i < classes; i += lanes) {
      let w = weight_of(i);
      weights += w;
      smoothed += w * (highest - x[start + i] + log_total);
    }
    weights = row_sum(weights, local, lanes);
    row_loss += spread * row_sum(smoothed, local, lanes);
  }
  if (inside && lane == 0u) {
    loss[row] = select(0.0, factor * row_loss, factor != 0.0);
  }
  // The row has been read before its places are written over.
  storageBarrier();
  if (!inside || params.write_gradient == 0u) {
    return;
  }
  let scale = params.gradient_scale * factor;
  let of_probability = select(0.0, (of_label + spread * weights) / total, params.normalized == 0u);
  for (var i = lane; i < classes; i += lanes) {
    let pulled = select(0.0, of_label, i == label) + spread * weight_of(i);
    x[start + i] = scale * (of_probability * exp(min(x[start + i] - highest, 0.0)) - pulled);
  }
}
