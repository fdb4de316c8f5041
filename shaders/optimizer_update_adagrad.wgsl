// Adagrad as torch.optim.Adagrad: g ← clip(g) + λ·p; s ← s + g²; p ← p − lr/(1 + (t−1)·η)·g/(sqrt(s) + ε).
//
//   parameters  [4·quads] flat; updated in place
//   gradients   [4·quads] flat
//   slots       [4·quads] sum of squares s; updated in place
//   control     see optimizer_update_control.wgsl
//
// One invocation updates four parameters. Workgroups: ⌈quads/64⌉, folded into two dimensions.

struct Params {
  quads: u32,
  learning_rate_decay: f32,
  epsilon: f32,
  weight_decay: f32,
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
  let p = parameters[i];
  let g = clip_gradient(gradients[i], control[1], control[7]) + params.weight_decay * p;
  let s = slots[i] + g * g;
  slots[i] = s;
  let rate = learning_rate / (1.0 + (control[6] - 1.0) * params.learning_rate_decay);
  parameters[i] = p - rate * g / (sqrt(s) + params.epsilon);
}
