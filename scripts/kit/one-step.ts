export { runOneStep } from './steps.ts';
