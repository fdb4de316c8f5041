// Adamax as torch.optim.Adamax: g ← clip(g) + λ·p; m ← β1·m + (1−β1)·g; u ← max(β2·u, |g| + ε);
// p ← p − lr/(1−β1ᵗ)·m/u.
//
//   parameters  [4·quads] flat; updated in place
//   gradients   [4·quads] flat
//   slots       [2, 4·quads] m, u; updated in place
//   control     see optimizer_update_control.wgsl
//
// One invocation updates four parameters. Workgroups: ⌈quads/64⌉, folded into two dimensions.

struct Params {
  quads: u32,
  beta1: f32,
  one_minus_beta1: f32,
  beta2: f32,
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
  let m = params.beta1 * slots[i] + params.one_minus_beta1 * g;
  let u = max(params.beta2 * slots[params.quads + i], abs(g) + params.epsilon);
  slots[i] = m;
  slots[params.quads + i] = u;
  // Without ε, where every gradient was 0 so far, it would be 0/0.
  let direction = select(m / u, vec4f(0.0), u == vec4f(0.0));
  parameters[i] = p - learning_rate / control[3] * direction;
}
