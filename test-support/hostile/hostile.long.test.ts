// Hostile peers against a real proxy: every case in its full form, some six minutes. `npm test -- --only long`.
import { test } from 'node:test';
import { testCase } from './case.ts';
import { CASES } from './cases/index.ts';

const FULL = { isSmall: false, seconds: 60 };

for (const one of CASES) test(`${one.name}: ${one.about}`, (t) => testCase(t, one, FULL));
