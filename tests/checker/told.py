class Told:
    def __init__(self, runs): pass
    def hear(self, run, deed): pass
    def compare(self, comparison): pass
