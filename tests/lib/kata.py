"""What an image of Kata Containers has, in what matters here."""

# The drop-in units/kata-agent.service.d/rootspan.conf is put on it.
AGENT_UNIT = """
[Unit]
Description=Kata Containers Agent
FailureAction=poweroff
[Service]
Type=simple
StandardOutput=tty
ExecStart=/usr/bin/kata-agent
ExecStop=/bin/sync ; /usr/bin/systemctl --force poweroff
"""
TARGET = """
[Unit]
Description=Kata Containers Agent Target
Requires=basic.target kata-agent.service
AllowIsolate=yes
"""
