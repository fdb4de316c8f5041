// Adadelta as torch.optim.Adadelta: g ← clip(g) + λ·p; v ← ρ·v + (1−ρ)·g²; d = sqrt(u + ε)/sqrt(v + ε)·g;
// u ← ρ·u + (1−ρ)·d²; p ← p − lr·d.
//
//   parameters  [4·quads] flat; updated in place
//   gradients   [4·quads] flat
//   slots       [2, 4·quads] v, u; updated in place
//   control     see optimizer_update_control.wgsl
//
// One invocation updates four parameters. Workgroups: ⌈quads/64⌉, folded into two dimensions.

struct Params {
  quads: u32,
  rho: f32,
  one_minus_rho: f32,
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
  let v = params.rho * slots[i] + params.one_minus_rho * g * g;
  let u = slots[params.quads + i];
  let change = sqrt(u + params.epsilon) / sqrt(v + params.epsilon) * g;
  slots[i] = v;
  slots[params.quads + i] = params.rho * u + params.one_minus_rho * change * change;
  parameters[i] = p - learning_rate * change;
}
