// shell · loaded into a program before it starts (`node --import`): ties its life to that of whoever started it.
// Must never keep a program alive that has nothing else to do.
process.on('disconnect', () => process.exit(1));
process.channel?.unref();
