module.exports = {
  userDir: __dirname,
  flowFile: 'flows.json',
  uiHost: '127.0.0.1',
  uiPort: Number(process.env.PORT),
  credentialSecret: false,
  telemetry: { enabled: false },
  editorTheme: { tours: false },
  externalModules: { autoInstall: false, palette: { allowInstall: false } },
};
