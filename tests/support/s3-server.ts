/**
 * An S3 server in memory, as faithful as its clients here need it: signatures (version 4) and payload
 * digests are checked, PUT with `If-None-Match: *` is conditional, listings come in pages, ranges are
 * answered with 206. It fails on command: before it does what it is asked, or after, so that the client
 * cannot know.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const ACCESS_KEY = 'AKIDTEST';
export const SECRET_KEY = 'a secret of the tests';
export const BUCKET = 'warehouse';

/**
 * refused, throttled: 500 and 503 and nothing is done. failed: it is done, and answered with 500. cut: it
 * is done, and the connection closed without an answer. silent: it is done and never answered. torn: half
 * of the body of a GET, then the connection closed. slow: it takes a moment.
 */
export type Fault = 'refused' | 'throttled' | 'failed' | 'cut' | 'silent' | 'torn' | 'slow';

export interface S3Request {
  readonly method: string;
  /** '' for a listing. */
  readonly key: string;
}

interface Answer {
  readonly status: number;
  readonly body?: Buffer | string;
  readonly headers?: Readonly<Record<string, string>>;
}

const SLOW_MS = 50;

export class S3Server {
  readonly objects = new Map<string, Buffer>();
  readonly requests: S3Request[] = [];
  /** Asked for every request that is signed as it should be. */
  fault: (request: S3Request, count: number) => Fault | undefined = () => undefined;
  pageSize = 1000;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => void this.#handle(request, response));
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What a process needs to know to use it, as Bullion and the SDK take it from the environment. */
  environment(prefix: string): Record<string, string> {
    return {
      BULLION_WAREHOUSE: `s3://${BUCKET}/${prefix}`,
      BULLION_S3_ENDPOINT: this.endpoint,
      BULLION_S3_PATH_STYLE: 'true',
      BULLION_S3_TIMEOUT_MS: '2000',
      AWS_ACCESS_KEY_ID: ACCESS_KEY,
      AWS_SECRET_ACCESS_KEY: SECRET_KEY,
    };
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return; // the client has gone
    }
    const body = Buffer.concat(chunks);
    const url = new URL(request.url as string, 'http://localhost');
    const [, bucket = '', ...rest] = decodeURIComponent(url.pathname).split('/');
    const key = rest.join('/');
    const send = ({ status, body: text = '', headers = {} }: Answer): void => {
      const bytes = Buffer.from(text);
      const length = { 'content-length': String(bytes.length) };
      response.writeHead(status, { ...length, ...headers });
      response.end(request.method === 'HEAD' ? undefined : bytes);
    };
    const wrong = wrongSignature(request, url, body);
    if (wrong !== undefined) return send(failure(403, wrong));
    if (bucket !== BUCKET) return send(failure(404, 'NoSuchBucket'));
    const method = request.method as string;
    const fault = this.fault({ method, key }, this.requests.length);
    this.requests.push({ method, key });
    if (fault === 'refused') return send(failure(500, 'InternalError'));
    if (fault === 'throttled') return send(failure(503, 'SlowDown'));
    const answer = this.#answer(method, key, url.searchParams, request, body);
    if (fault === 'failed') return send(failure(500, 'InternalError'));
    if (fault === 'silent') return;
    if (fault === 'cut') return void request.socket.destroy();
    if (fault === 'torn' && method === 'GET' && answer.status < 300) {
      const bytes = Buffer.from(answer.body ?? '');
      response.writeHead(answer.status, { 'content-length': String(bytes.length) });
      response.write(bytes.subarray(0, bytes.length >> 1), () => request.socket.destroy());
      return;
    }
    if (fault === 'slow') await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
    send(answer);
  }

  #answer(
    method: string,
    key: string,
    query: URLSearchParams,
    { headers }: IncomingMessage,
    body: Buffer,
  ): Answer {
    if (method === 'GET' && key === '') return this.#list(query);
    const object = this.objects.get(key);
    switch (method) {
      case 'PUT': {
        const sent = headers['x-amz-checksum-sha256'];
        if (sent !== undefined && sent !== sha256(body).toString('base64')) {
          return failure(400, 'BadDigest');
        }
        if (headers['if-none-match'] === '*' && object !== undefined) {
          return failure(412, 'PreconditionFailed');
        }
        this.objects.set(key, body);
        return { status: 200, headers: { etag: `"${sha256(body).toString('hex')}"` } };
      }
      case 'DELETE':
        this.objects.delete(key);
        return { status: 204 };
      case 'HEAD':
        if (object === undefined) return { status: 404 };
        return { status: 200, headers: { 'content-length': String(object.length) } };
      case 'GET':
        if (object === undefined) return failure(404, 'NoSuchKey');
        return ranged(object, headers.range);
      default:
        return failure(405, 'MethodNotAllowed');
    }
  }

  #list(query: URLSearchParams): Answer {
    const after = query.get('continuation-token') ?? '';
    const all = [...this.objects.keys()]
      .filter((key) => key.startsWith(query.get('prefix') ?? '') && key > after)
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const page = all.slice(0, this.pageSize);
    const contents = page.map((key) => {
      const size = (this.objects.get(key) as Buffer).length;
      return `<Contents><Key>${escaped(key)}</Key><Size>${size}</Size></Contents>`;
    });
    const more = all.length > page.length;
    const next = more
      ? `<NextContinuationToken>${escaped(page.at(-1) as string)}</NextContinuationToken>`
      : '';
    const body = `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><IsTruncated>${more}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`;
    return { status: 200, body, headers: { 'content-type': 'application/xml' } };
  }
}

function ranged(object: Buffer, range: string | undefined): Answer {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
  if (first === undefined) return { status: 200, body: object };
  if (Number(first) >= object.length) return failure(416, 'InvalidRange');
  const end = Math.min(Number(last) + 1, object.length);
  const headers = { 'content-range': `bytes ${first}-${end - 1}/${object.length}` };
  return { status: 206, body: object.subarray(Number(first), end), headers };
}

function failure(status: number, code: string): Answer {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`;
  return { status, body, headers: { 'content-type': 'application/xml' } };
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function sha256(bytes: Uint8Array | string): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** The error code of a request that is not signed by ACCESS_KEY as version 4 says; else undefined. */
function wrongSignature(
  { method, headers }: IncomingMessage,
  url: URL,
  body: Buffer,
): string | undefined {
  const authorization =
    /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=(\w{64})$/;
  const [, credential, names, signature] = authorization.exec(headers.authorization ?? '') ?? [];
  if (credential === undefined || names === undefined) return 'AccessDenied';
  const [id, date = '', region = '', service = '', end] = credential.split('/');
  if (id !== ACCESS_KEY || service !== 's3' || end !== 'aws4_request') return 'InvalidAccessKeyId';
  const signed = names.split(';');
  const payload = String(headers['x-amz-content-sha256']);
  if (!signed.includes('host') || !signed.includes('x-amz-content-sha256')) return 'AccessDenied';
  if (payload !== sha256(body).toString('hex')) return 'XAmzContentSHA256Mismatch';
  const encoded = (text: string): string =>
    encodeURIComponent(text).replace(
      /[!'()*]/g,
      (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  const query = [...url.searchParams]
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .sort()
    .join('&');
  const path = decodeURIComponent(url.pathname).split('/').map(encoded).join('/');
  const canonical = [
    method,
    path,
    query,
    ...signed.map((name) => `${name}:${String(headers[name]).trim()}`),
    '',
    names,
    payload,
  ].join('\n');
  const scope = `${date}/${region}/${service}/${end}`;
  const text = [
    'AWS4-HMAC-SHA256',
    headers['x-amz-date'],
    scope,
    sha256(canonical).toString('hex'),
  ];
  const key = [region, service, 'aws4_request'].reduce(hmac, hmac(`AWS4${SECRET_KEY}`, date));
  const expected = hmac(key, text.join('\n')).toString('hex');
  const isSame = timingSafeEqual(Buffer.from(expected), Buffer.from(String(signature)));
  return isSame ? undefined : 'SignatureDoesNotMatch';
}
