/** A server on this machine alone, through which the page fetches the text and hands back files of any size. */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A running exchange. */
export interface Exchange {
  /** Where the page finds the text. */
  readonly textUrl: string;
  /** Where the page posts a file under a name. */
  fileUrl(name: string): string;
  /** What the page has posted under a name. */
  take(name: string): Buffer;
  close(): void;
}

/** Serves one text. Its address cannot be guessed, so no other page can read or post anything. */
export async function openExchange(text: string): Promise<Exchange> {
  const secret = `/${randomUUID()}/`;
  const files = new Map<string, Buffer>();

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.setHeader('access-control-allow-origin', '*');
    const name = request.url?.startsWith(secret) ? request.url.slice(secret.length) : null;
    if (request.method === 'GET' && name === 'text') {
      response.setHeader('content-type', 'application/octet-stream');
      createReadStream(text)
        .on('error', () => response.destroy())
        .pipe(response);
    } else if (request.method === 'POST' && name !== null) {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      files.set(name, Buffer.concat(parts));
      response.end();
    } else {
      response.writeHead(404).end();
    }
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${secret}`;
  return {
    textUrl: `${url}text`,
    fileUrl: (name) => `${url}${name}`,
    take: (name) => {
      const file = files.get(name);
      if (!file) throw new Error(`the page did not hand over ${name}`);
      return file;
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
