# The workbench in a container. Building fetches packages; running needs no network:
#   docker build -t fleeting .
#   docker run --rm --network none -v "$PWD/recordings:/films" fleeting analyse /films/interview.mp4 --out /films/results
#   docker run --rm -p 127.0.0.1:8765:8765 -v "$PWD/recordings:/films" fleeting
# The last one prints an address with its key: open it in the browser of this computer.
FROM python:3.13-slim AS build
COPY pyproject.toml constraints.txt README.md LICENSE /source/
COPY src /source/src
RUN python -m venv /opt/fleeting \
 && /opt/fleeting/bin/pip install --no-cache-dir --disable-pip-version-check -c /source/constraints.txt "/source[web,demo]"

FROM python:3.13-slim
COPY --from=build /opt/fleeting /opt/fleeting
# Files in /films belong to this user; run with --user "$(id -u):$(id -g)" to make them yours.
RUN useradd --uid 1000 fleeting && mkdir /films && chown fleeting /films
USER fleeting
ENV PATH=/opt/fleeting/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1
VOLUME /films
WORKDIR /films
EXPOSE 8765
ENTRYPOINT ["fleeting"]
CMD ["serve", "/films", "--host", "0.0.0.0", "--port", "8765", "--no-browser"]
