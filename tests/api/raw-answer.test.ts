/** What becomes of connections on which no request arrives whole, over real sockets. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { answerBrokenRequest } from '#src/api/raw-answer';

describe('a connection', () => {
  const server = createServer({ headersTimeout: 200, connectionsCheckingInterval: 50 });
  server.on('clientError', answerBrokenRequest);
  let port = 0;
  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });
  after(() => server.close());

  /** Everything the server says until it closes. */
  const said = (bytes: string): Promise<string> =>
    new Promise((done, fail) => {
      let text = '';
      const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
      socket.setEncoding('latin1').on('data', (piece: string) => {
        text += piece;
      });
      socket.on('error', fail);
      socket.on('close', () => done(text));
    });

  it('that says nothing is closed without a word', async () => {
    assert.equal(await said(''), '');
  });

  it('that says half a request is told so', async () => {
    const text = await said('GET / HTTP/1.1\r\nHost: loc');
    assert.match(text, /^HTTP\/1\.1 408 Request Timeout\r\n/);
    assert.match(text, /connection: close\r\n/);
    assert.match(text, /nosniff/);
    const [, body = ''] = text.split('\r\n\r\n');
    assert.deepEqual(JSON.parse(body), {
      type: 'about:blank',
      title: 'Request Timeout',
      status: 408,
      detail: 'The request took too long to arrive.',
    });
    assert.match(text, new RegExp(`content-length: ${body.length}\r\n`));
  });

  it('that says what is no request, or too much, is told that', async () => {
    assert.match(await said('no HTTP at all\r\n\r\n'), /^HTTP\/1\.1 400 Bad Request\r\n/);
    const large = `GET / HTTP/1.1\r\nHost: x\r\nPad: ${'x'.repeat(20_000)}\r\n\r\n`;
    assert.match(await said(large), /^HTTP\/1\.1 431 Request Header Fields Too Large\r\n/);
  });
});
