/** Reads a text of any source in the worker, a piece at a time, and counts its characters. */
import { decodeUtf8, TextError } from '../../src/index.js';
import type { TextFacts, TextSource, WorkerEvent } from './protocol.js';
import { TASK_LABELS, type TaskName } from './task-labels.js';
import { drawTask, type TaskCase } from './tasks.js';

/** A text, and what the page shows of it. */
export interface ReadText {
  readonly text: string;
  readonly facts: TextFacts;
  /** Questions of its task that are not in it. */
  readonly test: readonly TaskCase[] | null;
}

/** Larger texts would not fit into memory several times over. */
const MAX_BYTES = 100e6;
const PREVIEW_LENGTH = 1200;

/** @throws TextError for what is not UTF-8, or too large; Error for what cannot be fetched or read */
export async function readText(source: TextSource, emit: (event: WorkerEvent) => void): Promise<ReadText> {
  const name = nameOf(source);
  const task = source.kind === 'task' ? source.task : null;
  return describeText(name, await textOf(source, name, emit), task);
}

/** A text with what the page shows of it, and the test of its task. */
export function describeText(name: string, text: string, task: TaskName | null): ReadText {
  return { text, facts: textFactsOf(name, text, task), test: task && drawTask(task).test };
}

function nameOf(source: TextSource): string {
  if (source.kind === 'task') return TASK_LABELS[source.task].name;
  return source.kind === 'library' ? 'library source' : source.name;
}

async function textOf(source: TextSource, name: string, emit: (event: WorkerEvent) => void): Promise<string> {
  switch (source.kind) {
    case 'library':
      return (await import('./library-source.js')).librarySource;
    case 'task':
      return drawTask(source.task).text;
    case 'url': {
      const response = await fetchText(source.url, name);
      const length = Number(response.headers.get('content-length'));
      return decode(response.body ?? new Blob([]).stream(), name, length > 0 ? length : null, emit);
    }
    case 'file':
      return decode(source.file.stream(), name, source.file.size, emit);
  }
}

async function fetchText(url: string, name: string): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (cause) {
    throw new Error(`${name}: could not be fetched; check the connection, or take another text`, { cause });
  }
  if (response.ok) return response;
  throw new Error(`${name}: the server answered ${response.status}; take another text`);
}

/** Decodes strictly as the bytes come; what is wrong is then looked for in the whole. */
async function decode(
  stream: ReadableStream<Uint8Array>,
  name: string,
  total: number | null,
  emit: (event: WorkerEvent) => void,
): Promise<string> {
  if (total !== null) checkSize(total, name);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const parts: string[] = [];
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  let valid = true;
  for await (const chunk of chunksOf(stream, name)) {
    bytes += chunk.length;
    checkSize(bytes, name);
    chunks.push(chunk);
    try {
      if (valid) parts.push(decoder.decode(chunk, { stream: true }));
    } catch {
      valid = false;
    }
    emit({ type: 'reading', bytes, total });
  }
  try {
    if (valid) return parts.join('') + decoder.decode();
  } catch {
    // It ends within a character: told below, with the place.
  }
  return decodeUtf8(new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer()), name);
}

async function* chunksOf(stream: ReadableStream<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  for (;;) {
    let read: ReadableStreamReadResult<Uint8Array>;
    try {
      read = await reader.read();
    } catch (cause) {
      throw new Error(`${name}: could not be read; choose it again, in case it has changed`, { cause });
    }
    if (read.done) return;
    yield read.value;
  }
}

function checkSize(bytes: number, name: string): void {
  if (bytes <= MAX_BYTES) return;
  throw new TextError({
    culprit: name,
    problem: `has more than ${MAX_BYTES / 1e6} MB`,
    remedy: 'choose a shorter text, or a part of it',
  });
}

function textFactsOf(name: string, text: string, task: TaskName | null): TextFacts {
  const counts = new Map<number, number>();
  let characters = 0;
  for (let index = 0; index < text.length;) {
    const point = text.codePointAt(index)!;
    index += point > 0xffff ? 2 : 1;
    counts.set(point, (counts.get(point) ?? 0) + 1);
    characters++;
  }
  const vocabulary = [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([point, count]) => [String.fromCodePoint(point), count] as const);
  return { name, characters, task, vocabulary, preview: Array.from(text.slice(0, PREVIEW_LENGTH)).join('') };
}
