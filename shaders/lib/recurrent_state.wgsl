// How a forward step ends, with or without layer normalization.

// Assigns h(t), frozen where there is no step, mixed by zoneout; and what of it enters the next product.
fn store_state(direction: u32, row: u32, quad: u32, quads: u32, value: vec4f) {
  let at = row * quads + quad;
  var h_new = value;
  var h_old = vec4f();
  if (has_previous()) {
    h_old = h[h_read(direction) + at];
  }
  h_new = mix(h_new, h_old, zoneout_share(direction, row, quad, params.state_width, 0u));
  if (!is_step(direction, row)) {
    h_new = h_old;
  }
  h[h_write(direction) + at] = h_new;
  if (HAS_OPTIONS && params.dropout_scale != 0.0) {
    h[params.dropped_write[direction] + at] = h_new * recurrent_dropout(direction, row, quad);
  }
}
