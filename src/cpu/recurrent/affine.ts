/** `y = x·Wᵀ + b` with its gradients: what carries the input, the hidden state and the projection. */
import { product, transposeInto } from '../product.js';
import type { RealArray } from '../storage.js';

/** Where scratch arrays come from. */
export interface Workspace {
  scratch(size: number): RealArray;
}

/** One affine map from `columns` to `rows` features, for as many vectors at a time as a call says. */
export class Affine {
  readonly rows: number;
  readonly columns: number;
  readonly #workspace: Workspace;
  readonly #weight: RealArray;
  readonly #bias: RealArray | null;
  #transposed: RealArray | null = null;

  /** @param weight `[rows,columns]` */
  constructor(
    workspace: Workspace,
    weight: RealArray,
    bias: RealArray | null,
    rows: number,
    columns: number,
  ) {
    this.#workspace = workspace;
    this.#weight = weight;
    this.#bias = bias;
    this.rows = rows;
    this.columns = columns;
  }

  /** Writes `y[count,rows] = x[count,columns]·Wᵀ + b`. */
  forward(y: RealArray, x: RealArray, count: number): void {
    product(y, x, this.#weight, count, this.rows, this.columns, this.#bias);
  }

  /** Writes `dX[count,columns] = dY[count,rows]·W`, or adds it. */
  backward(dX: RealArray, dY: RealArray, count: number, accumulate: boolean): void {
    const { rows, columns } = this;
    if (!this.#transposed) {
      this.#transposed = this.#workspace.scratch(rows * columns);
      transposeInto(this.#transposed, this.#weight, rows, columns);
    }
    product(dX, dY, this.#transposed, count, columns, rows, null, accumulate);
  }

  /** Writes `dW = dYᵀ·x` over all `count` vectors to the `[rows,columns]` of `dWeight`. */
  weightGradient(dWeight: RealArray, dY: RealArray, x: RealArray, count: number): void {
    const { rows, columns } = this;
    const left = this.#workspace.scratch(rows * count);
    const right = this.#workspace.scratch(columns * count);
    transposeInto(left, dY, count, rows);
    transposeInto(right, x, count, columns);
    product(dWeight, left, right, rows, columns, count);
  }
}
