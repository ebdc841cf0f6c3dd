// pure · what parsers die of or read as something else: many levels, halves of surrogate pairs, numbers that are rounded.
import { type Entry, entry, packet } from './entry.ts';

// A request, a setup packet, an answer, an error, a challenge and a heartbeat.
const KINDS = [0, 1, 2, -1, 5, 3];

// As deep as is allowed, and a level more, in every kind of packet.
export function levels(): Entry[] {
  return [31, 32, 100].flatMap((count) => {
    const arrays = `${'['.repeat(count)}${']'.repeat(count)}`;
    const objects = `${'{"a":'.repeat(count)}"]"${'}'.repeat(count)}`;
    const both = `${'[0, {"a" : "[", "b" :'.repeat(count / 2)}[]${'} ]'.repeat(count / 2)}`;
    const wide = `[${'[[]],'.repeat(count)}{}]`;
    return KINDS.flatMap((type) =>
      [arrays, objects, both, wide].flatMap((value) => [
        entry(`${count} levels`, packet(type, 'x', value)),
        entry(`${count} levels, hidden by a second field`, packet(type, 'x', `${value},"x":1`)),
        entry(`${count} levels before the type`, packet(type, 'x', '1').replace('{', `{ "y" : ${value} , `)),
      ]),
    );
  });
}

// Halves of surrogate pairs and what looks like them, as texts and as names, in every kind of packet.
export function halves(): Entry[] {
  const lone = [
    '\\ud800',
    '\\uDBFF',
    '\\udc00',
    '\\uDFFF',
    '\\udc00\\ud800',
    '\\ud83dx\\ude42',
    '\\\\\\ud800',
  ];
  const whole = ['\\ud83d\\ude42', '\\\\ud800', '\\ud7ff\\ue000', '\\ufffd', '\\u0000'];
  const names = ['type', 'srcid', 'id', 'privPoliId', 'payload', 'incarnation', 'nonce', 'code', 'x'];
  return [...lone, ...whole].flatMap((text) =>
    KINDS.flatMap((type) => [
      ...names.map((name) => entry(`half a pair as "${name}"`, packet(type, name, `"a${text}"`))),
      entry('half a pair further in', packet(type, 'x', `[1,{"a":["${text}"]}]`)),
      entry('half a pair in a name further in', packet(type, 'x', `{"${text}":1}`)),
      entry('half a pair in a name', packet(type, text, '1')),
      entry('half a pair in a long name', packet(type, `${'n'.repeat(60)}${text}`, '1')),
      entry('half a pair behind a long name', packet(type, 'n'.repeat(60), `"${text}"`)),
      entry('half a pair, hidden by a second field', packet(type, 'x', `"${text}","x":1`)),
    ]),
  );
}

// What a program that reads numbers as doubles makes another number of, or nearly so.
export function numbers(): Entry[] {
  const near = [-2n, -1n, 0n, 1n, 2n].map((more) => 2n ** 53n + more);
  const values = [
    ...near.flatMap((number) => [`${number}`, `-${number}`, `"${number}"`, `${number}.0`]),
    ...[
      '1.0',
      '-1.0',
      '0.0',
      '0e0',
      '1e0',
      '1E2',
      '1e+2',
      '1e-400',
      '0.99999999999999999999',
      '1e15',
      '999999999999999',
    ],
    ...['1.0,"NAME":1', '1,"NAME":1.0', '1.0,"NAME":"a"', '1.0,"NAME":[1]', '"a","NAME":1.0', '[],"NAME":-0'],
    '[9007199254740993,1.0]',
  ];
  const names = [
    'type',
    'srcid',
    'destid',
    'id',
    'privPoliId',
    'privPolyId',
    'listenport',
    'incarnation',
    'payloadsize',
    'x',
  ];
  return names.flatMap((name) =>
    values.flatMap((value) => {
      const written = value.replaceAll('NAME', name);
      const spaced = packet(0, name, ` \n${written}\t`).replace(`"${name}":`, `"${name}" : `);
      return [
        ...[0, 1, 2].map((type) => entry('a number that may be another', packet(type, name, written))),
        entry('a number with space round it', spaced),
      ];
    }),
  );
}
