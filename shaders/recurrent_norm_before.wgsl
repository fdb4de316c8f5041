// What the first step of a recurrent layer with layer normalization hands to the state before it, both directions at
// once: the product of its gradients with W_hh, through recurrent dropout, is added to what travels beside it.
//
//   carry  the product [B, H] for each direction; the gradient of h [B, H], added to
//   seed   one whole number
//
// One invocation adds four units of one batch row. Workgroups: (⌈B·(H/4) / 64⌉, 1, D).

struct Params {
  carry_h: vec2u,        // in vec4, for each direction
  product: vec2u,
  mask_row: vec2u,
  zoneout: vec2f,
  zoneout_threshold: vec2u,
  batch: u32,            // B
  hidden_quads: u32,     // H/4
  has_mask: u32,
  training: u32,
  stream: u32,
  state_width: u32,
  dropout_threshold: u32,
  dropout_scale: f32,    // 1/(1−p), 0 without recurrent dropout
}

@group(0) @binding(0) var<storage, read_write> carry: array<vec4f>;
@group(0) @binding(1) var<storage, read> mask: array<i32>;
@group(0) @binding(2) var<storage, read> seed: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let direction = id.z;
  if (id.x >= params.batch * params.hidden_quads) {
    return;
  }
  let row = id.x / params.hidden_quads;
  let quad = id.x % params.hidden_quads;
  carry[params.carry_h[direction] + id.x] +=
    carry[params.product[direction] + id.x] * recurrent_dropout(direction, row, quad);
}
