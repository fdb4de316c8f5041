/** Files in and out: checked before the work, written whole or not at all. */
import { access, constants, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** A file or folder that cannot be used, with what to do about it. */
export class FileError extends Error {
  override readonly name = 'FileError';
}

/** Throws unless there is a file here that can be read. */
export async function checkReadable(path: string): Promise<void> {
  try {
    if ((await stat(path)).isDirectory()) {
      throw new FileError(`${path}: is a folder; name a text file`);
    }
    await access(path, constants.R_OK);
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw new FileError(`${path}: ${reasonOf(error)}; name a text file that can be read`, { cause: error });
  }
}

/** Throws unless this is a folder that can be written, or can be made. */
export async function checkWritableFolder(path: string): Promise<void> {
  let folder = path;
  for (;;) {
    try {
      if (!(await stat(folder)).isDirectory()) {
        throw new FileError(`${folder}: is not a folder; name another one with --out`);
      }
      await access(folder, constants.W_OK | constants.X_OK);
      return;
    } catch (error) {
      if (error instanceof FileError) throw error;
      const parent = dirname(folder);
      if (codeOf(error) === 'ENOENT' && parent !== folder) {
        folder = parent;
        continue;
      }
      throw new FileError(`${folder}: ${reasonOf(error)}; name another folder with --out`, { cause: error });
    }
  }
}

/**
 * Writes files so that each is there whole or as it was before, whenever the process or the machine ends, and none
 * is replaced before all are written.
 */
export async function writeFiles(
  folder: string,
  files: Readonly<Record<string, string | Buffer>>,
): Promise<void> {
  const written: { readonly temporary: string; readonly path: string }[] = [];
  try {
    await mkdir(folder, { recursive: true });
    await removeLeftovers(folder);
    for (const [name, data] of Object.entries(files)) {
      const temporary = join(folder, `.${name}.${process.pid}.tmp`);
      written.push({ temporary, path: join(folder, name) });
      const file = await open(temporary, 'w');
      try {
        await file.writeFile(data);
        await file.sync();
      } finally {
        await file.close();
      }
    }
    for (const { temporary, path } of written) await rename(temporary, path);
    await syncFolder(folder);
  } catch (error) {
    for (const { temporary } of written) await rm(temporary, { force: true });
    throw new FileError(`${folder}: ${reasonOf(error)}; free some space or name another folder with --out`, {
      cause: error,
    });
  }
}

/** Removes what a run that was killed while it wrote has left behind. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const writer = /^\..+\.(\d+)\.tmp$/.exec(name)?.[1];
    if (writer !== undefined && !isRunning(Number(writer))) await rm(join(folder, name), { force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    // Signal 0 asks, and does nothing.
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

/** New names outlive a power failure too; some systems cannot promise that of a folder. */
async function syncFolder(folder: string): Promise<void> {
  const opened = await open(folder).catch(() => null);
  await opened?.sync().catch(() => undefined);
  await opened?.close();
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function reasonOf(error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EACCES':
    case 'EPERM':
      return 'access is denied';
    case 'ENOSPC':
      return 'the disk is full';
    case 'ENOTDIR':
      return 'part of the path is a file, not a folder';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
