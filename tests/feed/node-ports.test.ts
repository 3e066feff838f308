/** The real sockets and HTTP against small servers on the loopback address. */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import { systemTimers } from '#src/base/timers';
import { nodeNetwork } from '#src/feed/node-ports';
import type { SocketHandlers } from '#src/feed/ports';
import { FRAME_BYTES_MAX } from '#src/log/frame';

async function listen(t: TestContext, server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function serveSockets(t: TestContext, serve: (socket: WebSocket) => void): Promise<string> {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    t.after(() => socket.terminate());
    serve(socket);
  });
  return `ws://${await listen(t, server)}`;
}

/** Connects and collects what happens until the close. */
function collect(url: string, act: Partial<SocketHandlers> = {}) {
  const heard: string[] = [];
  const socket = { current: undefined as ReturnType<typeof nodeNetwork.sockets.open> | undefined };
  const closed = new Promise<void>((resolve) => {
    socket.current = nodeNetwork.sockets.open(url, {
      onOpen: () => {
        heard.push('open');
        act.onOpen?.();
      },
      onMessage: (frame) => {
        heard.push(`message ${new TextDecoder().decode(frame)}`);
        act.onMessage?.(frame);
      },
      onPing: () => heard.push('ping'),
      onRefused: (status, retryAfter) => heard.push(`refused ${status} ${retryAfter}`),
      onError: (error) => heard.push(`error ${(error as NodeJS.ErrnoException).code ?? ''}`),
      onClose: (code) => {
        heard.push(`close ${code}`);
        resolve();
      },
    });
  });
  return { heard, closed, socket: socket.current! };
}

test('messages both ways, pings answered, no compression offered, an orderly close', async (t) => {
  const pongs: string[] = [];
  const url = await serveSockets(t, (socket) => {
    assert.equal(socket.extensions, '');
    socket.on('pong', (data) => {
      pongs.push(data.toString());
      socket.send(Buffer.from([0xff, 0x22]), { binary: false });
    });
    socket.on('message', (data) => {
      socket.send(`echo ${data.toString()}`);
      socket.ping('payload');
    });
  });
  const { heard, closed, socket } = collect(url, {
    onOpen: () => socket.send('hello'),
    onMessage: (frame) => {
      if (frame[0] === 0xff) socket.close();
    },
  });
  await closed;
  assert.deepEqual(pongs, ['payload']);
  // Bad UTF-8 comes through: bronze keeps what was sent.
  assert.deepEqual(heard, ['open', 'message echo hello', 'ping', 'message \ufffd"', 'close 1000']);
});

test('a refused handshake tells status and Retry-After', async (t) => {
  const server = createServer();
  server.on('upgrade', (_request, socket) => {
    socket.end('HTTP/1.1 429 Too Many Requests\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n');
  });
  const { heard, closed } = collect(`ws://${await listen(t, server)}`);
  await closed;
  assert.deepEqual(heard, ['refused 429 17', 'error ', 'close 1006']);
});

test('a message above the limit is refused, not delivered', async (t) => {
  const url = await serveSockets(t, (socket) => {
    socket.send(Buffer.alloc(FRAME_BYTES_MAX, 0x20), { binary: false });
    socket.send(Buffer.alloc(FRAME_BYTES_MAX + 1, 0x20), { binary: false });
  });
  const sizes: number[] = [];
  const { heard, closed, socket } = collect(url, {
    onMessage: (frame) => sizes.push(frame.length),
  });
  setTimeout(() => socket.terminate(), 3_000).unref();
  await closed;
  assert.deepEqual(sizes, [FRAME_BYTES_MAX]);
  assert.ok(heard.includes('error WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'));
});

test('nobody listening: an error, then the close, once each; terminate while connecting too', async (t) => {
  const server = createServer();
  const address = await listen(t, server);
  await new Promise((resolve) => server.close(resolve));
  const refused = collect(`ws://${address}`);
  await refused.closed;
  assert.deepEqual(refused.heard, ['error ECONNREFUSED', 'close 1006']);
  const ended = collect(`ws://${address}`);
  ended.socket.send('into the void');
  ended.socket.terminate();
  await ended.closed;
  assert.deepEqual(ended.heard, ['error ', 'close 1006']);
});

test('HTTP: status, headers, body; a long body, a hanging server and a redirect go no further', async (t) => {
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    if (path === '/hang') return;
    if (path === '/redirect') response.writeHead(302, { location: 'http://127.0.0.1:1/' });
    else if (path === '/limit') response.writeHead(429, { 'retry-after': '9' });
    if (path === '/long') {
      response.write('x'.repeat(2_000));
      response.end('y');
    } else response.end(`${request.headers['x-a']} ${request.headers['accept-encoding']}`);
  });
  const base = `http://${await listen(t, server)}`;
  const get = (path: string, timeoutMs = 5_000) =>
    nodeNetwork.httpGet(`${base}${path}`, { 'x-a': 'b' }, { timeoutMs, bodyBytesMax: 2_000 });
  const plain = await get('/');
  assert.deepEqual([plain.status, new TextDecoder().decode(plain.body)], [200, 'b identity']);
  const limit = await get('/limit');
  assert.deepEqual([limit.status, limit.headers['retry-after']], [429, '9']);
  assert.equal((await get('/redirect')).status, 302);
  await assert.rejects(get('/long'), /longer than 2000 bytes/);
  await assert.rejects(get('/hang', 50), /abort/i);
});

test('timers: cancelled ones do not fire; the end of a turn comes after its callbacks', async () => {
  const heard: string[] = [];
  systemTimers.after(0, () => heard.push('cancelled')).cancel();
  await new Promise<void>((resolve) => {
    systemTimers.after(1, () => {
      systemTimers.afterTurn(() => {
        heard.push('turn');
        resolve();
      });
      heard.push('timer');
    });
  });
  assert.deepEqual(heard, ['timer', 'turn']);
});
