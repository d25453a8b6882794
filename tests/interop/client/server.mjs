// An official server: `node server.mjs PACKAGE`, an npm alias of socket.io 2 or 4. It prints its port.
import { createServer } from "node:http";
import { createRequire } from "node:module";

const [name] = process.argv.slice(2);
const require = createRequire(`${process.env.ROOMWIRE_CLIENT_MODULES}/package.json`);
const { Server } = require(name);
const two = name === "server-2";

const http = createServer();
const options = { pingInterval: 400, pingTimeout: 5000, maxHttpBufferSize: 1e6 };
// Server 2.x takes the server first as well; recovery is of 4.6.
const io = new (Server ?? require(name))(http, two ? options : { ...options, connectionStateRecovery: {} });

let note = "";

function serve(socket) {
    socket.emit("hello", "world", 1, true, { a: [null] });
    socket.on("echo", (...args) => args.pop()(...args));
    socket.on("note", (text, done) => {
        note = text;
        done?.();
    });
    socket.on("noted", (done) => done(note));
    socket.on("back", (...args) => socket.emit("back", ...args));
    socket.on("ask", (...args) => socket.emit("asked", ...args, (...answer) => socket.emit("answer", ...answer)));
    socket.on("count", (most) => {
        for (let nth = 0; nth < most; nth++) socket.emit("nth", nth);
    });
    socket.on("kick", () => socket.disconnect());
    // The transport ends, and then something happens that the client misses.
    socket.on("cut", () => {
        socket.conn.close();
        io.emit("missed", "while away");
    });
    socket.on("transport", () => socket.emit("transport", socket.conn.transport.name));
}

io.on("connection", serve);
const admin = io.of("/admin");
admin.use((socket, next) => {
    const token = two ? socket.handshake.query.token : socket.handshake.auth.token;
    if (token === "secret") return next();
    const error = new Error("not authorized");
    error.data = { code: 401 };
    next(error);
});
admin.on("connection", serve);

http.listen(0, "127.0.0.1", () => console.log(http.address().port));
