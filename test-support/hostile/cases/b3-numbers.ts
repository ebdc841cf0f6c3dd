// Row B3: numbers that a double does not hold, in a router by policy.
import { exactly, type HostileCase } from '../case.ts';

const EXACT = '9007199254740992';
const BEYOND = '9007199254740993';
const FIELDS = '"type":0,"payloadsize":5,"payload":"hello"';

/** Packets that name no policy, or client, exactly. */
const INEXACT = [
  `{${FIELDS},"srcid":1,"privPoliId":${BEYOND}}`,
  `{${FIELDS},"srcid":1,"privPoliId":${EXACT}}`,
  `{${FIELDS},"srcid":1,"privPoliId":1e-400}`,
  `{${FIELDS},"srcid":1,"privPoliId":1.5}`,
  `{${FIELDS},"srcid":1,"privPoliId":0e1}`,
  `{${FIELDS},"srcid":${BEYOND},"privPoliId":0}`,
  `{"type":1,"id":9,"listenport":9,"privPoliId":${EXACT}}`,
  `{"type":1,"id":${BEYOND},"listenport":9,"privPoliId":1}`,
];

export const numbers: HostileCase = {
  name: 'b3-numbers',
  about: 'Policies and ids beyond 2^53, with fractions and with exponents, beside a policy they round to.',
  run: async (scene) => {
    const proxy = await scene.proxy();
    await scene.keptServer(proxy, undefined, { policy: EXACT });
    await scene.keptServer(proxy, undefined, { policy: '0' });
    const refused = await Promise.all(INEXACT.map((packet) => scene.send(proxy, packet)));
    const accepted = INEXACT.filter((_, at) => !refused[at]?.includes('"BAD_PACKET"'));
    const exact = await scene.send(proxy, `{${FIELDS},"srcid":1,"privPoliId":"${EXACT}"}`);
    const text = await scene.send(proxy, `{${FIELDS},"srcid":1,"privPoliId":"${BEYOND}"}`);
    return [
      exactly(INEXACT.length - accepted.length, INEXACT.length, 'refused', accepted[0]),
      exactly(exact.includes('"type":2') ? 1 : 0, 1, 'text of the same digits answered'),
      exactly(text.includes('"NO_SERVER"') ? 1 : 0, 1, 'text of the next number refused'),
    ];
  },
};
