"""A server that puts what it is asked into SQL: whoever tries to get in has to."""

import http.server
import sqlite3
import urllib.parse


class Open(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query).get("name", [""])[0]
        try:
            rows = database.execute(f"select name from people where name = '{name}'").fetchall()
            status, answer = 200, repr(rows)
        except sqlite3.Error as error:
            status, answer = 500, f"sqlite3.OperationalError: {error}"
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_):
        pass


database = sqlite3.connect(":memory:", check_same_thread=False)
database.executescript("create table people (name text); insert into people values ('a'), ('b');")
server = http.server.HTTPServer(("127.0.0.1", 0), Open)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
