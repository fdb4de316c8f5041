// RMSprop as torch.optim.RMSprop: g ← clip(g) + λ·p; v ← α·v + (1−α)·g²; centered: a ← α·a + (1−α)·g and
// d = sqrt(v − a²) + ε, else d = sqrt(v) + ε; b ← μ·b + g/d, p ← p − lr·b with momentum, p − lr·g/d without.
//
//   parameters  [4·quads] flat; updated in place
//   gradients   [4·quads] flat
//   slots       v, then a when centered, then b with momentum, [4·quads] each; updated in place
//   control     see optimizer_update_control.wgsl
//
// One invocation updates four parameters. Workgroups: ⌈quads/64⌉, folded into two dimensions.

struct Params {
  quads: u32,
  alpha: f32,
  one_minus_alpha: f32,
  epsilon: f32,
  weight_decay: f32,
  momentum: f32,
  centered: u32,
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
  let v = params.alpha * slots[i] + params.one_minus_alpha * g * g;
  slots[i] = v;
  var variance = v;
  var slot = i + params.quads;
  if (params.centered != 0u) {
    let a = params.alpha * slots[slot] + params.one_minus_alpha * g;
    slots[slot] = a;
    variance = max(v - a * a, vec4f(0.0));
    slot += params.quads;
  }
  var direction = g / (sqrt(variance) + params.epsilon);
  if (params.momentum != 0.0) {
    direction += params.momentum * slots[slot];
    slots[slot] = direction;
  }
  parameters[i] = p - learning_rate * direction;
}
