// SGD as torch.optim.SGD: g ← clip(g) + λ·p; m ← μ·m + (1 − dampening)·g (m ← g at the first update);
// p ← p − lr·(g + μ·m) with nesterov, p − lr·m with momentum, p − lr·g without.
//
//   parameters  [4·quads] flat; updated in place
//   gradients   [4·quads] flat
//   slots       [4·quads] momentum m; updated in place (without momentum: not touched)
//   control     see optimizer_update_control.wgsl
//
// One invocation updates four parameters. Workgroups: ⌈quads/64⌉, folded into two dimensions.

struct Params {
  quads: u32,
  momentum: f32,
  one_minus_dampening: f32,
  weight_decay: f32,
  nesterov: u32,
}

@group(0) @binding(0) var<storage, read_write> parameters: array<vec4f>;
@group(0) @binding(1) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> slots: array<vec4f>;
@group(0) @binding(3) var<storage, read> control: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(num_workgroups) workgroups: vec3u, @builtin(local_invocation_index) local: u32) {
  let i = linear_index(workgroup, workgroups, local, 64u);
  if (i >= params.quads || control[0] == 0.0) {
    return;
  }
  let learning_rate = control[2];
  var p = parameters[i];
  var g = clip_gradient(gradients[i], control[1], control[7]);
  g += params.weight_decay * p;
  if (params.momentum != 0.0) {
    var m = g;
    if (control[5] == 0.0) {
      m = params.momentum * slots[i] + params.one_minus_dampening * g;
    }
    slots[i] = m;
    g = select(m, g + params.momentum * m, params.nesterov != 0u);
  }
  parameters[i] = p - learning_rate * g;
}
