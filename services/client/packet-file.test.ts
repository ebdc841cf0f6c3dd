// test · packet files: found, kept as they are, refused with a reason.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { UsageError } from '../shared/config.ts';
import { readPacketFile } from './packet-file.ts';

async function directoryWith(t: TestContext, files: Record<string, string | Uint8Array>): Promise<string> {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'policy-proxy-'));
  t.after(() => rm(directory, { recursive: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(directory, name), text);
  return directory;
}

test('a file goes out byte for byte, odd packets included', async (t) => {
  for (const text of [
    '{"type" : "0",\n\t"payload":"\\u00e9"}\n\n',
    '{}',
    '{"type":7,"payload":5}',
    ' {"a":"é"}',
  ]) {
    const directory = await directoryWith(t, { 'p.json': text });
    assert.equal((await readPacketFile('p.json', directory, null)).bytes.toString(), text);
    assert.equal((await readPacketFile(path.join(directory, 'p.json'), '/', null)).bytes.toString(), text);
  }
});

test('the payload is the decoded text, null when it is none', async (t) => {
  const directory = await directoryWith(t, { 'p.json': '{"payload":"\\u00e9}"}', 'q.json': '{"payload":5}' });
  assert.equal((await readPacketFile('p.json', directory, null)).payload, 'é}');
  assert.equal((await readPacketFile('q.json', directory, null)).payload, null);
});

test('an id replaces srcid and nothing else', async (t) => {
  const directory = await directoryWith(t, {
    'p.json': '{"type":"0","srcid":1,"extra":[1,2],"payload":"x"}',
  });
  const { bytes } = await readPacketFile('p.json', directory, 'me');
  assert.equal(bytes.toString(), '{"type":"0","srcid":"me","extra":[1,2],"payload":"x"}');
});

const WITH_ID: [string, string, string][] = [
  [
    'numbers and their spelling',
    '{"srcid":9007199254740993,"privPoliId":9007199254740993,"x":1.0,"y":[1e400,-0]}',
    '{"srcid":7,"privPoliId":9007199254740993,"x":1.0,"y":[1e400,-0]}',
  ],
  [
    'white space, escapes and what follows',
    ' {\n\t"srcid" :  "a\\u0062" , "payload":"\\u00e9"}\r\n\n',
    ' {\n\t"srcid" :  7 , "payload":"\\u00e9"}\r\n\n',
  ],
  [
    'a field of the same name further in',
    '{"a":{"srcid":1},"b":"\\"srcid\\":1","srcid":{"srcid":2}}',
    '{"a":{"srcid":1},"b":"\\"srcid\\":1","srcid":7}',
  ],
  [
    'a name that is escaped, and one that is there twice',
    '{"\\u0073rcid":1,"srcid":null}',
    '{"\\u0073rcid":7,"srcid":7}',
  ],
  ['no srcid', '{ "payload":"漢"}', '{"srcid":7, "payload":"漢"}'],
  ['no field at all', '{ }', '{"srcid":7 }'],
];

for (const [what, text, expected] of WITH_ID) {
  test(`an id leaves every other byte as it is: ${what}`, async (t) => {
    const directory = await directoryWith(t, { 'p.json': text });
    assert.equal((await readPacketFile('p.json', directory, 7)).bytes.toString(), expected);
    const withText = expected.replace(/(rcid"\s*:\s*)7/g, (_, before) => `${before}"$&"`);
    assert.equal((await readPacketFile('p.json', directory, '$&')).bytes.toString(), withText);
  });
}

test("a sample's name that is not there is the sample, from whatever path", async (t) => {
  const directory = await directoryWith(t, { 'client_packet_3.json': '{"mine":true}' });
  for (const name of [
    'client_packet_2.json',
    './somewhere/client_packet_2.json',
    '/nowhere/client_packet_2.json',
  ]) {
    assert.equal((await readPacketFile(name, directory, null)).payload, 'Packet for privacy policy 2');
  }
  assert.equal(
    (await readPacketFile('client_packet_3.json', directory, null)).bytes.toString(),
    '{"mine":true}',
  );
});

const payloadOf = (text: string): string => JSON.stringify({ type: 0, payload: text });
const REFUSED: [string, string | Uint8Array, RegExp][] = [
  ['a byte order mark', '\ufeff{}', /begins with a byte order mark: save it as UTF-8 without one/],
  [
    'a byte order mark of UTF-16',
    Buffer.from('\ufeff{}', 'utf16le'),
    /begins with a byte order mark: save it as UTF-8/,
  ],
  [
    'another encoding',
    Buffer.from('{"payload":"\xe9"}', 'latin1'),
    /is not valid UTF-8, at byte 12: save it as UTF-8/,
  ],
  ['half a character at its end', Buffer.from([0x7b, 0x7d, 0xe2, 0x82]), /is not valid UTF-8, at byte 2/],
  ['no JSON', 'hello', /is not valid JSON/],
  ['nothing', '', /is not valid JSON/],
  ['two packets', '{} {}', /is not valid JSON/],
  ['an array', '[{}]', /must be one JSON object/],
  ['null', 'null', /must be one JSON object/],
  ['a payload of 1,025 bytes', payloadOf('x'.repeat(1_025)), /1025 bytes.*1024/],
  ['a payload of 1,026 bytes in 513 characters', payloadOf('é'.repeat(513)), /1026 bytes/],
  ['a file that is no packet by its size', ' '.repeat(1_048_577), /1048577 bytes: that is no packet/],
];

for (const [name, text, sentence] of REFUSED) {
  test(`a file is refused: ${name}`, async (t) => {
    const directory = await directoryWith(t, { 'p.json': text });
    await assert.rejects(readPacketFile('p.json', directory, null), isUsageError(sentence));
  });
}

test('a payload of exactly 1,024 bytes is sent', async (t) => {
  const directory = await directoryWith(t, { 'p.json': payloadOf('é'.repeat(512)) });
  assert.equal((await readPacketFile('p.json', directory, null)).payload?.length, 512);
});

test('a name that stands for nothing, and a directory', async (t) => {
  const directory = await directoryWith(t, {});
  await mkdir(path.join(directory, 'd'));
  await assert.rejects(
    readPacketFile('client_packet_4.json', directory, null),
    isUsageError(/is not there.*or one of/),
  );
  await assert.rejects(readPacketFile('d', directory, null), isUsageError(/can't be read \(EISDIR\)/));
});

function isUsageError(message: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof UsageError && message.test(error.message);
}
