// shell · writes one line to the log, with the id and in the format that it is given.
// Must never do more: the test looks at its whole output.
import { createLog } from '../services/shared/log.ts';

const [id, format = 'text'] = process.argv.slice(2);
createLog('test', 'info', format as 'text' | 'json').log({ level: 'info', message: 'hello', id });
